package console

import "errors"

// errNoWarehouse says how to connect one.
var errNoWarehouse = errors.New("what is stored and quarantined is not shown: the gateway was not told its tables (--console-table, --console-quarantine-table)")
