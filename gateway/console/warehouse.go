package console

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/api/googleapi"
)

// errNoWarehouse says how to connect one.
var errNoWarehouse = errors.New("what is stored and quarantined is not shown: the gateway was not told its tables (--console-table, --console-quarantine-table)")

// complained is when the log was last told that BigQuery does not answer, in Unix time.
type complained struct{ atomic.Int64 }

const complainEvery = time.Minute // pages ask all the time

// unanswered says in an operator's words why BigQuery tells nothing; addresses and the
// like are in the gateway's log alone.
func (c *Console) unanswered(err error) string {
	if errors.Is(err, errNoWarehouse) {
		return sentence(err.Error())
	}
	now, last := time.Now(), c.complained.Load()
	if now.Sub(time.Unix(last, 0)) >= complainEvery && c.complained.CompareAndSwap(last, now.Unix()) {
		c.log().Warn("the console cannot show what is stored", zap.Error(err))
	}
	why := "BigQuery does not answer"
	if refused, ok := errors.AsType[*googleapi.Error](err); ok {
		switch refused.Code {
		case http.StatusForbidden, http.StatusUnauthorized:
			why = "BigQuery does not let the gateway read its tables"
		case http.StatusNotFound:
			why = "BigQuery has no such table"
		}
	}
	return why + ", so what is stored cannot be shown. The gateway's log says more."
}
