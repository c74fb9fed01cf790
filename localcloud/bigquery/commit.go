package bigquery

import (
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// committer makes appends durable. Whoever comes first commits for all that wait: the
// more streams there are, the fewer syncs a row costs. It needs no goroutine.
type committer struct {
	store *store

	mu    sync.Mutex
	queue []*insert // not yet in a transaction

	turn    sync.Mutex // held by the one that uses the writer
	inserts map[*table]driver.Stmt
	closed  bool
	dirty   atomic.Bool // committed since the last checkpoint
}

func newCommitter(st *store) *committer {
	return &committer{store: st, inserts: map[*table]driver.Stmt{}}
}

// end waits for the commit that runs and refuses those that come later.
func (c *committer) end() {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.closed = true
	for t := range c.inserts {
		c.forget(t)
	}
}

// insert is the rows of one append: values by row, in the order of the table's columns.
type insert struct {
	table  *table
	values []driver.Value
	gone   func() bool // the table is no longer what the rows were decoded for
	done   bool
	err    error
}

// errGone says that a table was changed or deleted between decoding and commit.
var errGone = errors.New("the table has changed")

// commit returns when the rows are durable, or surely are not stored.
func (c *committer) commit(in *insert) error {
	c.mu.Lock()
	c.queue = append(c.queue, in)
	c.mu.Unlock()
	c.turn.Lock()
	defer c.turn.Unlock()
	if !in.done {
		c.flush()
	}
	return in.err
}

// flush commits all that waits in one transaction. The caller has the turn.
func (c *committer) flush() {
	c.mu.Lock()
	group := c.queue
	c.queue = nil
	c.mu.Unlock()
	err := c.transaction(func() error {
		for _, in := range group {
			if in.gone() {
				in.err = errGone
			} else if err := c.insert(in); err != nil {
				return err
			}
		}
		return nil
	})
	for _, in := range group {
		in.done = true
		if in.err == nil {
			in.err = err
		}
	}
}

// exclusive runs a change of the catalog in a transaction of its own, and then what
// the change returned, which tells memory of it.
func (c *committer) exclusive(change func(*writer) (committed func(), err error)) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	var committed func()
	err := c.transaction(func() (err error) {
		committed, err = change(c.store.writer)
		return err
	})
	if err == nil {
		committed()
	}
	return err
}

func (c *committer) transaction(work func() error) error {
	if c.closed {
		return status.Error(codes.Unavailable, "the local BigQuery is shutting down")
	}
	w := c.store.writer
	if err := w.exec("BEGIN IMMEDIATE"); err != nil {
		return c.store.explain(err)
	}
	err := work()
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		_ = w.exec("ROLLBACK") // SQLite may have done so itself
		return c.store.explain(err)
	}
	c.dirty.Store(true)
	return nil
}

func (c *committer) insert(in *insert) error {
	stmt := c.inserts[in.table]
	if stmt == nil {
		var err error
		marks := strings.Repeat(", ?", len(in.table.columns))[1:]
		if stmt, err = c.store.writer.prepare("INSERT INTO " + quote(in.table.name.String()) + " VALUES (" + marks + ")"); err != nil {
			return err
		}
		c.inserts[in.table] = stmt
	}
	n := len(in.table.columns)
	for v := in.values; len(v) >= n; v = v[n:] {
		if err := c.store.writer.run(stmt, v[:n]); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what is kept for a table that was changed. The caller has the turn.
func (c *committer) forget(t *table) {
	if stmt := c.inserts[t]; stmt != nil {
		_ = stmt.Close()
		delete(c.inserts, t)
	}
}

// checkpoint copies the log into the file, if there is anything to copy.
func (c *committer) checkpoint(mode string) error {
	if !c.dirty.Swap(false) {
		return nil
	}
	w, err := openWriter(c.store.uri + "?_pragma=busy_timeout(100)")
	if err != nil {
		return err
	}
	defer w.close()
	return w.exec("PRAGMA wal_checkpoint(" + mode + ")")
}
