package warehouse

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/memo"
	"iotbridge/schema"
)

//go:embed sql/*.sql
var queries embed.FS

// Warehouse is one table of readings and its quarantine.
type Warehouse struct {
	Client            *bigquery.Client
	Table, Quarantine bq.TableID
	Every             time.Duration // for which an answer to Flow or Readings is good
	Replayer          *Replayer     // nil: nothing is replayed from here

	flows    memo.Memo[struct{}, []console.Minute]
	readings memo.Memo[series, []console.Reading]
}

// series is which readings were asked for; since when moves with the clock.
type series struct {
	gateway.DeviceKey
	most int
}

const (
	within    = 8 * time.Second  // BigQuery answers, or counts as one that does not
	notAnswer = 10 * time.Second // for which it then is not asked again
)

func (w *Warehouse) terms() memo.Terms { return memo.Terms{Good: w.Every, Bad: notAnswer} }

var _ console.Warehouse = (*Warehouse)(nil)

// read runs one of the queries, and calls row with each row of the form that into makes.
func read[T any](ctx context.Context, w *Warehouse, name string, parameters map[string]any, row func(*T)) error {
	text, err := queries.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the names stand in this package
	}
	standIn := func(table string) string {
		return schema.ProjectPlaceholder + "." + schema.DatasetPlaceholder + "." + table
	}
	q := w.Client.Query(strings.NewReplacer(standIn("temperature"), w.Table.String(), standIn("quarantine"), w.Quarantine.String()).Replace(string(text)))
	for name, value := range parameters {
		q.Parameters = append(q.Parameters, bigquery.QueryParameter{Name: name, Value: value})
	}
	rows, err := q.Read(ctx)
	if err != nil {
		return fmt.Errorf("table %s: %w", w.Table, err)
	}
	for {
		one := new(T)
		switch err := rows.Next(one); {
		case errors.Is(err, iterator.Done):
			return nil
		case err != nil:
			return fmt.Errorf("table %s: %w", w.Table, err)
		}
		row(one)
	}
}

// Readings are a device's, oldest first.
func (w *Warehouse) Readings(ctx context.Context, key gateway.DeviceKey, since time.Time, most int) ([]console.Reading, error) {
	return w.readings.Answer(ctx, series{key, most}, w.terms(), func(ctx context.Context) ([]console.Reading, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		return w.readReadings(ctx, key, since, most)
	})
}

func (w *Warehouse) readReadings(ctx context.Context, key gateway.DeviceKey, since time.Time, most int) (list []console.Reading, err error) {
	type row struct {
		EventTime   time.Time `bigquery:"event_time"`
		Temperature float64   `bigquery:"temperature"`
	}
	err = read(ctx, w, "readings", map[string]any{
		"since": since, "device": key.Device, "registry": key.Registry, "location": key.Location, "project": key.Project, "limit": int64(most),
	}, func(r *row) {
		list = append(list, console.Reading{At: r.EventTime, Value: r.Temperature})
	})
	slices.Reverse(list) // the query has the latest first
	return list, err
}
