package pubsub

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// explain puts SQLite's commonest troubles into one sentence: the file, the cause
// and the cure.
func (st *store) explain(err error) error {
	switch primary(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s cannot grow: make room on its disk, it goes on by itself: %w", st.file, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s is locked by another program: close that one: %w", st.file, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%s cannot be opened for writing: check that its folder exists and is ours: %w", st.file, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is no sound database: move it away, or restore it: %w", st.file, err)
	}
	return fmt.Errorf("%s: %w", st.file, err)
}

func busy(err error) bool { return primary(err) == sqlite3.SQLITE_BUSY }

// primary is SQLite's code of an error, without what extends it; 0 if it has none.
func primary(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
