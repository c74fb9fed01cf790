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
	Client                              *bigquery.Client
	Temperature, Sensordata, Quarantine string
}

// Account is what became of the messages in the books.
type Account struct {
	Published   int            `json:"published"`   // confirmed to their devices
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
	for _, place := range []struct{ name, table string }{{TopicTemperature, t.Temperature}, {TopicSensordata, t.Sensordata}, {quarantine, t.Quarantine}} {
		if err := t.read(ctx, place.name, place.table, since, func(r *row) { b.find(a, rows, place.name, r) }); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	a.Published, a.Spoofed, a.Malformed = len(b.entries), b.kinds[Spoofed], b.kinds[Malformed]
	a.Lost = a.Published - len(rows)
	return a, nil
}

// quarantine is the query, and the place, of what was refused.
const quarantine = "quarantine"

// find accounts for one row, if it is of the books.
func (b *Books) find(a *Account, rows map[string]int, place string, r *row) {
	id := idIn(r.Said.StringVal)
	b.mu.Lock()
	e, ok := b.entries[id]
	b.mu.Unlock()
	if !ok {
		return
	}
	rows[id]++
	switch {
	case rows[id] > 1:
		a.Duplicates++
	case place == quarantine:
		a.Quarantined[r.Reason.StringVal]++
	default:
		a.Stored++
	}
	if r.DeviceID.StringVal != e.device || r.Reason.StringVal != string(e.kind.Reason()) || place != e.kind.place() {
		a.Misplaced++
	}
}

// place is where messages of the kind belong.
func (k Kind) place() string {
	switch {
	case k.Reason() != "":
		return quarantine
	case k == Sensors:
		return TopicSensordata
	}
	return TopicTemperature
}

// row is one of any query's.
type row struct {
	DeviceID bigquery.NullString `bigquery:"device_id"`
	Reason   bigquery.NullString `bigquery:"reason"`
	Said     bigquery.NullString `bigquery:"said"` // has the message's own id in it
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
