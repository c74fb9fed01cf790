package bigquery

import (
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

// What queries run on cannot write, whatever SQL reached it.
func TestReadersCannotWrite(t *testing.T) {
	b := newBench(t)
	ctx := testContext(t)
	for _, sql := range []string{
		"DELETE FROM _tables", "PRAGMA query_only = 0; DROP TABLE _datasets", `INSERT INTO "demo.d.t" VALUES ('x')`,
		"PRAGMA query_only = 0; PRAGMA writable_schema = 1; DELETE FROM sqlite_master",
	} {
		if _, err := b.store.readers.ExecContext(ctx, sql); err == nil {
			t.Errorf("%s: it was done", sql)
		}
	}
	if b.catalog.table(tableName{datasetName{"demo", "d"}, "t"}) == nil {
		t.Error("the table is gone")
	}
}

// A failing member of a group does not take the others with it, and a changed table is noticed.
func TestGroupCommit(t *testing.T) {
	b := newBench(t)
	ctx := testContext(t)
	table, err := b.find(idTable)
	if err != nil {
		t.Fatal(err)
	}
	never, always := func() bool { return false }, func() bool { return true }
	b.commits.turn.Lock() // so that all three wait for the same commit
	group := []*insert{
		{table: table, values: []driver.Value{"a"}, gone: never},
		{table: table, values: []driver.Value{"b"}, gone: always},
		{table: table, values: []driver.Value{"c", "d"}, gone: never},
	}
	b.commits.queue = group
	b.commits.flush()
	b.commits.turn.Unlock()
	for i, want := range []error{nil, errGone, nil} {
		if !errors.Is(group[i].err, want) || !group[i].done {
			t.Errorf("insert %d: %v, done %v, want %v", i, group[i].err, group[i].done, want)
		}
	}
	no := errors.New("no")
	if err := b.commits.exclusive(func(w *writer) (func(), error) { return nil, errors.Join(w.exec("DELETE FROM _tables"), no) }); !errors.Is(err, no) {
		t.Errorf("error %v, want the change's own", err)
	}
	last := &insert{table: table, values: []driver.Value{"e"}, gone: never}
	if err := b.commits.commit(last); err != nil {
		t.Errorf("after a change that was taken back: %v", err)
	}
	if got := b.stored(ctx, t); got != "a c d e" {
		t.Errorf("stored %q, want a c d e", got)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(filepath.Join(t.TempDir(), "no", "such", "directory", "x.db"), Options{}); err == nil {
		t.Error("a file in no directory: want an error")
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil {
		t.Error("a directory: want an error")
	}
}
