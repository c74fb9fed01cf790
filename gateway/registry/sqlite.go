package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrLocked is Open's refusal of a file that another process has.
var ErrLocked = errors.New("is in use by another process: stop that one, or let both use PostgreSQL")

// sqliteFile is the embedded engine. One connection writes, and syncs each commit;
// the others only read, what was committed when they began.
type sqliteFile struct {
	file    string
	lock    *os.File
	reads   *sql.DB
	spelled sync.Map // query → SQLite's
}

func openFile(ctx context.Context, file string, log *zap.Logger) (_ *Store, err error) {
	e := &sqliteFile{file: file}
	s := &Store{engine: e, log: log, bus: newLocalBus()}
	defer func() {
		if err != nil {
			err = e.explain(err)
			if s.db != nil {
				s.db.Close()
			}
			e.close()
		}
	}()
	if e.lock, err = lockFile(file); err != nil {
		return nil, err
	}
	if err := e.create(ctx); err != nil {
		return nil, err
	}
	const always = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=cache_size(-16000)"
	s.db, err = sql.Open("sqlite", uri(file)+"?"+always+"&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	s.turn = semaphore.NewWeighted(1) // database/sql gives the next turn to anyone, and some wait too long
	if err := e.sound(ctx, s.db); err != nil {
		return nil, err
	}
	if e.reads, err = sql.Open("sqlite", uri(file)+"?"+always+"&_pragma=query_only(1)"); err != nil {
		return nil, err
	}
	n := max(4, runtime.GOMAXPROCS(0))
	e.reads.SetMaxOpenConns(n)
	e.reads.SetMaxIdleConns(n)
	s.reads = &prepared{DB: e.reads}
	if err := s.loadPageKey(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (e *sqliteFile) close() (err error) {
	if e.reads != nil {
		err = e.reads.Close()
	}
	if e.lock != nil {
		e.lock.Close()
	}
	return err
}

func uri(file string) string { return "file:" + (&url.URL{Path: file}).EscapedPath() }

// SQLite's spelling of what it has under other names; it locks no rows, for it has
// one writer.
var sqliteWords = strings.NewReplacer("$", "?", "json_array_elements_text(", "json_each(", "json_array_elements(", "json_each(", "::json", "", "strpos(", "instr(",
	toHold, "", toChange, "", toDelete, "")

// spell remembers: there are as many queries as this package has texts.
func (e *sqliteFile) spell(query string) string {
	if s, ok := e.spelled.Load(query); ok {
		return s.(string)
	}
	s := sqliteWords.Replace(query)
	e.spelled.Store(query, s)
	return s
}

func (e *sqliteFile) taken(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && (se.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || se.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}

func (e *sqliteFile) again(error, bool) bool { return false } // the one writer meets nobody

func (e *sqliteFile) explain(err error) error {
	code := primary(err)
	if cut := new(sqlite.Error); errors.As(err, &cut) && cut.Code() == sqlite3.SQLITE_IOERR_SHORT_READ {
		code = sqlite3.SQLITE_CORRUPT
	}
	switch code {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s cannot be written: make room on its disk, it goes on by itself: %w", e.file, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s is locked by another program: close that one: %w", e.file, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%s cannot be opened for writing: check that its folder exists and is ours: %w", e.file, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s is no sound database: restore a backup: %w", e.file, err)
	}
	return err
}

// primary is SQLite's code of an error, without what extends it; 0 if it has none.
func primary(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
