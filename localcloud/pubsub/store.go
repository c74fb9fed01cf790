package pubsub

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// A message's id is its time of publishing in microseconds, made unique and ever
// growing: no counter has to be kept, an id is never used twice even when the file
// is removed, and retention and seek are ranges of the primary key.
const tables = `
CREATE TABLE IF NOT EXISTS topics (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, config TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
  topic INTEGER NOT NULL, created INTEGER NOT NULL, config TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS subscriptions_by_topic ON subscriptions (topic);
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY, topic INTEGER NOT NULL,
  ordering_key TEXT NOT NULL, attributes TEXT NOT NULL, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pending (
  subscription INTEGER NOT NULL, message INTEGER NOT NULL,
  PRIMARY KEY (subscription, message)) WITHOUT ROWID;
`

// The statements that run for every batch of messages. CROSS JOIN fixes the order:
// always from the few to the key, never through a backlog.
const (
	insertMessage = `INSERT INTO messages (id, topic, ordering_key, attributes, data) VALUES (?, ?, ?, ?, ?)`
	insertPending = `INSERT INTO pending (subscription, message)
		SELECT s.id, m.id FROM subscriptions s CROSS JOIN messages m WHERE s.topic = ?1 AND m.id BETWEEN ?2 AND ?3`
	// What is pending in no other subscription of the topic goes with its last one.
	forgetMessages = `DELETE FROM messages WHERE id IN
		(SELECT message FROM pending WHERE subscription = ?1 AND message BETWEEN ?2 AND ?3)
		AND NOT EXISTS (SELECT 1 FROM subscriptions s CROSS JOIN pending p ON p.subscription = s.id
			WHERE s.topic = ?4 AND s.id <> ?1 AND p.message = messages.id)`
	deletePending = `DELETE FROM pending WHERE subscription = ?1 AND message BETWEEN ?2 AND ?3`
	// What no subscription of the topic waits for.
	deleteUnwanted = `DELETE FROM messages WHERE topic = ?1 AND id < ?2
		AND NOT EXISTS (SELECT 1 FROM subscriptions s CROSS JOIN pending p ON p.subscription = s.id
			WHERE s.topic = ?1 AND p.message = messages.id)`
	selectPending = `SELECT m.id, m.ordering_key, m.attributes, m.data
		FROM pending p CROSS JOIN messages m ON m.id = p.message
		WHERE p.subscription = ?1 AND p.message > ?2 ORDER BY p.message LIMIT ?3`
	selectAgain = `SELECT m.id, m.ordering_key, m.attributes, m.data
		FROM json_each(?2) j CROSS JOIN pending p ON p.subscription = ?1 AND p.message = j.value
		CROSS JOIN messages m ON m.id = p.message`
)

// ErrInUse is Open's refusal of a file that another server has.
var ErrInUse = errors.New("is in use by another process: stop that one, or give another place")

// store is the file. The connection write belongs to the writer's goroutine; read
// serves everybody and sees what is committed.
type store struct {
	file   string
	now    func() time.Time
	lock   *sql.DB
	writes *sql.DB
	write  *sql.Conn
	read   *sql.DB
	last   int64 // the newest id given

	insertMessage, insertPending, forgetMessages, deletePending *sql.Stmt
	selectPending, selectAgain                                  *sql.Stmt
}

func openStore(file string, durable bool, now func() time.Time) (_ *store, err error) {
	st := &store{file: file, now: now}
	defer func() {
		if err != nil {
			st.close()
		}
	}()
	if st.lock, err = lock(file + ".lock"); busy(err) {
		return nil, fmt.Errorf("%s %w", file, ErrInUse)
	} else if err != nil {
		return nil, st.explain(err)
	}
	if err := st.connect(durable); err != nil {
		return nil, st.explain(err)
	}
	return st, nil
}

func (st *store) connect(durable bool) (err error) {
	ctx := context.Background()
	sync := "NORMAL"
	if durable {
		sync = "FULL"
	}
	dsn := "file:" + st.file + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(" + sync +
		")&_pragma=wal_autocheckpoint(4000)&_pragma=cache_size(-16000)"
	if st.writes, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	if st.write, err = st.writes.Conn(ctx); err != nil {
		return err
	}
	if _, err = st.write.ExecContext(ctx, tables); err != nil {
		return err
	}
	if err = st.write.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM messages`).Scan(&st.last); err != nil {
		return err
	}
	if st.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	st.read.SetMaxOpenConns(2)
	st.read.SetMaxIdleConns(2)
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&st.insertMessage, insertMessage},
		{&st.insertPending, insertPending},
		{&st.forgetMessages, forgetMessages},
		{&st.deletePending, deletePending},
	} {
		if *s.stmt, err = st.write.PrepareContext(ctx, s.text); err != nil { //nolint:sqlclosecheck // they end with the connection
			return err
		}
	}
	if st.selectPending, err = st.read.PrepareContext(ctx, selectPending); err != nil {
		return err
	}
	st.selectAgain, err = st.read.PrepareContext(ctx, selectAgain)
	return err
}

// lock takes the file for this process. SQLite alone would let two servers share
// it, each with leases of its own; the kernel frees the lock with the process.
func lock(file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), `PRAGMA user_version = 1`); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// ids gives n ids in a row, and the first of them.
func (st *store) ids(n int) int64 {
	first := max(st.last+1, st.now().UnixMicro())
	st.last = first + int64(n) - 1
	return first
}

func (st *store) close() {
	if st.read != nil {
		st.read.Close()
	}
	if st.write != nil {
		st.write.Close()
	}
	if st.writes != nil {
		st.writes.Close()
	}
	if st.lock != nil {
		st.lock.Close()
	}
}
