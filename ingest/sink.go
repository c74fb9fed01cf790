package ingest

import (
	"context"
	"fmt"
)

// Sink makes rows durable: one table.
type Sink interface {
	// Append returns nil once every row is durable, and bounds its own time.
	// *RowErrors, *Refused and *Held say that none of them is; any other error
	// that they may be or not. It may be called by several goroutines.
	Append(ctx context.Context, rows [][]byte) error
	// Check returns nil when the table is there and its schema contains ours: a
	// row that it refuses is then the row's own fault. Else mostly a *Held.
	Check(ctx context.Context) error
}

// RowErrors is a refusal that names rows. The list may be incomplete.
type RowErrors struct{ Rows []RowError }

// RowError is one row's fault.
type RowError struct {
	Index  int
	Detail string // the service's words, for the quarantine; never the row
}

func (e *RowErrors) Error() string {
	if len(e.Rows) == 0 {
		return "rows were refused"
	}
	return fmt.Sprintf("%d rows were refused, row %d: %s", len(e.Rows), e.Rows[0].Index, e.Rows[0].Detail)
}

// Refused is a refusal of a request as a whole: a row of it may be at fault, or
// its size.
type Refused struct{ Detail string }

func (e *Refused) Error() string { return "the request was refused: " + e.Detail }

// Held is a refusal for no fault of a row's: it heals by itself or by an
// operator's hand.
type Held struct {
	Cause  Cause
	Detail string // names the table or subscription, the cause and the cure
}

func (e *Held) Error() string { return e.Detail }
