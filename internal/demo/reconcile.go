package demo

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"regexp"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"
)

//go:embed sql/*.sql
var queries embed.FS

// standIn is the table's name in the texts of the queries.
var standIn = regexp.MustCompile("`[$]{PROJECT}[^`]*`")

// Tables are where the messages end, each P.D.T.
type Tables struct {
	Client     *bigquery.Client
	Stored     []string // temperature and sensordata
	Quarantine string
}

// Account is what became of the messages in the books.
type Account struct {
	Published   int            `json:"published"`   // confirmed by Pub/Sub
	Stored      int            `json:"stored"`      // in a table
	Quarantined map[string]int `json:"quarantined"` // by reason
	Spoofed     int            `json:"spoofed"`     // of the published
	Malformed   int            `json:"malformed"`   // of the published
	Misplaced   int            `json:"misplaced"`   // where they do not belong, or under another device or reason
	Lost        int            `json:"lost"`        // nowhere
	Duplicates  int            `json:"duplicates"`  // rows beyond each message's first
}

// Exact tells whether every message is where it belongs.
func (a *Account) Exact() bool { return a.Lost == 0 && a.Misplaced == 0 }

// Reconcile reads the tables back and compares them with the books. since is before
// the first of the books' messages was published.
func (b *Books) Reconcile(ctx context.Context, t Tables, since time.Time) (*Account, error) {
	rows := map[string]int{}
	a := &Account{Quarantined: map[string]int{}}
	for _, table := range t.Stored {
		if err := t.read(ctx, "stored", table, since, func(r *row) { b.find(a, rows, r) }); err != nil {
			return nil, err
		}
	}
	if err := t.read(ctx, "quarantined", t.Quarantine, since, func(r *row) { b.find(a, rows, r) }); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Published, a.Spoofed, a.Malformed = len(b.entries), b.kinds[Spoofed], b.kinds[Malformed]
	a.Lost = a.Published - len(rows)
	return a, nil
}

// find accounts for one row, if it is of the books.
func (b *Books) find(a *Account, rows map[string]int, r *row) {
	b.mu.Lock()
	e, ok := b.entries[r.MessageID]
	b.mu.Unlock()
	if !ok {
		return
	}
	rows[r.MessageID]++
	switch {
	case rows[r.MessageID] > 1:
		a.Duplicates++
	case r.Reason == "":
		a.Stored++
	default:
		a.Quarantined[r.Reason]++
	}
	if r.DeviceID.StringVal != e.device || r.Reason != string(e.kind.Reason()) {
		a.Misplaced++
	}
}

// row is one of either query's.
type row struct {
	MessageID string              `bigquery:"message_id"`
	DeviceID  bigquery.NullString `bigquery:"device_id"`
	Reason    string              `bigquery:"reason"`
}

func (t *Tables) read(ctx context.Context, query, table string, since time.Time, take func(*row)) error {
	text, err := queries.ReadFile("sql/" + query + ".sql")
	if err != nil {
		return err
	}
	q := t.Client.Query(standIn.ReplaceAllLiteralString(string(text), "`"+table+"`"))
	q.Parameters = []bigquery.QueryParameter{{Name: "since", Value: since}}
	it, err := q.Read(ctx)
	if err != nil {
		return fmt.Errorf("table %s: %w", table, err)
	}
	for {
		var r row
		switch err := it.Next(&r); {
		case errors.Is(err, iterator.Done):
			return nil
		case err != nil:
			return fmt.Errorf("table %s: %w", table, err)
		}
		take(&r)
	}
}
