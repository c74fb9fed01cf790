package bigquery

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net/url"
	"os"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"iotbridge/localcloud/bigquery/googlesql"
)

// ErrLocked is the error of Open when another process has the file.
var ErrLocked = errors.New("another process serves this file: stop it or choose another data directory")

// store is the SQLite file: one connection that writes, and readers that cannot.
type store struct {
	file    string
	uri     string // of the file, for SQLite
	lock    *os.File
	writer  *writer
	readers *sql.DB
}

// writePragmas: a commit is synced before it is confirmed; the log is copied back by
// Run, off the path of an append, and by a commit only when it has grown to 64 MiB.
const writePragmas = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)" +
	"&_pragma=wal_autocheckpoint(16384)&_pragma=journal_size_limit(67108864)&_defensive=1&_dqs=0"

// readPragmas: what a query reads it cannot change, whatever the SQL.
const readPragmas = "mode=ro&_pragma=busy_timeout(5000)&_pragma=query_only(1)&_pragma=case_sensitive_like(1)" +
	"&_pragma=trusted_schema(0)&_defensive=1&_dqs=0"

func openStore(file string) (*store, error) {
	s := &store{file: file}
	var err error
	if s.lock, err = lock(file); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(s.explain(err), s.close())
	}
	return s, nil
}

func (s *store) open() (err error) {
	s.uri = "file:" + (&url.URL{Path: s.file}).EscapedPath()
	if s.writer, err = openWriter(s.uri + "?" + writePragmas); err != nil {
		return err
	}
	for _, ddl := range []string{
		"CREATE TABLE IF NOT EXISTS _datasets (project TEXT, dataset TEXT, resource TEXT, PRIMARY KEY (project, dataset))",
		"CREATE TABLE IF NOT EXISTS _tables (project TEXT, dataset TEXT, name TEXT, resource TEXT, PRIMARY KEY (project, dataset, name))",
	} {
		if err = s.writer.exec(ddl); err != nil {
			return err
		}
	}
	r := &reader{name: s.uri + "?" + readPragmas}
	if err = googlesql.Register(&r.driver); err != nil {
		return err
	}
	s.readers = sql.OpenDB(r)
	s.readers.SetMaxOpenConns(8)
	s.readers.SetMaxIdleConns(8)
	return nil
}

func (s *store) close() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// explain says in a status what an error of SQLite means to a caller. Each of them
// is UNAVAILABLE or INTERNAL: none is the fault of a request.
func (s *store) explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return status.Errorf(codes.Unavailable, "%s: the disk is full: free some space, writers go on by themselves", s.file)
	case sqlite3.SQLITE_IOERR:
		return status.Errorf(codes.Unavailable, "%s: the disk does not write: %v", s.file, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return status.Errorf(codes.Unavailable, "%s: another program keeps the file locked: end its transaction", s.file)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return status.Errorf(codes.Unavailable, "%s: the file cannot be opened and written: check path and permissions", s.file)
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return status.Errorf(codes.Internal, "%s: this is no sound SQLite file: %v", s.file, err)
	}
	return status.Errorf(codes.Internal, "%s: %v", s.file, err)
}

// read calls visit with each row of a query; the row holds until visit returns.
func (s *store) read(ctx context.Context, query string, args []any, visit func([]any) error) error {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	row, dst := make([]any, len(names)), make([]any, len(names))
	for i := range row {
		dst[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(dst...); err != nil {
			return err
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// reader makes the connections that read: they know the functions of translated queries.
type reader struct {
	driver sqlite.Driver
	name   string
}

func (r *reader) Connect(ctx context.Context) (driver.Conn, error) { return r.driver.Open(r.name) }
func (r *reader) Driver() driver.Driver                            { return &r.driver }
