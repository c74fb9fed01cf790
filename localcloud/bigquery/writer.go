package bigquery

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// writer is the connection that writes. One goroutine may use it at a time.
type writer struct {
	conn driver.Conn
	args []driver.NamedValue // scratch
}

func openWriter(name string) (*writer, error) {
	c, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	conn, err := c.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &writer{conn: conn}, nil
}

func (w *writer) close() error { return w.conn.Close() }

// exec runs one statement.
func (w *writer) exec(query string, args ...driver.Value) error {
	stmt, err := w.prepare(query)
	if err != nil {
		return err
	}
	return errors.Join(w.run(stmt, args), stmt.Close())
}

func (w *writer) prepare(query string) (driver.Stmt, error) {
	stmt, err := w.conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("%.200s: %w", query, err)
	}
	return stmt, nil
}

// run executes a prepared statement. It goes past database/sql, which would cost more than
// SQLite itself does for a row.
func (w *writer) run(stmt driver.Stmt, args []driver.Value) error {
	w.args = w.args[:0]
	for i, v := range args {
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	_, err := stmt.(driver.StmtExecContext).ExecContext(context.Background(), w.args)
	return err
}

// load calls visit with each row of a query.
func (w *writer) load(query string, visit func([]driver.Value) error) error {
	rows, err := w.conn.(driver.QueryerContext).QueryContext(context.Background(), query, nil)
	if err != nil {
		return err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := visit(row); err != nil {
			return err
		}
	}
}
