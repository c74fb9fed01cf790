package quarantine

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/iterator"

	"iotbridge/gateway"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/schema"
)

//go:embed sql/*.sql
var queries embed.FS

// Table is a quarantine.
type Table struct {
	Client *bigquery.Client
	ID     bq.TableID
}

// Filter chooses messages; an empty field lets all pass.
type Filter struct {
	Reason, Device, MessageID string // Device: sent it, or is claimed to have
	Since                     time.Time
	Before                    time.Time           // of List alone
	Registry                  gateway.RegistryKey // of List alone: what the message's attributes say
}

var never = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) // BigQuery knows no later year

// List yields the newest limit refusals, the newest first, without attributes and data.
func (t *Table) List(ctx context.Context, f Filter, limit int) iter.Seq2[*Message, error] {
	if f.Before.IsZero() {
		f.Before = never
	}
	return t.rows(ctx, "list", bq.TableID{}, map[string]any{
		"since": f.Since, "before": f.Before, "reason": f.Reason, "device": f.Device, "limit": int64(limit),
		"registry": f.Registry.Registry, "location": f.Registry.Location, "project": f.Registry.Project,
	})
}

// Show yields every refusal of one message.
func (t *Table) Show(ctx context.Context, messageID string) iter.Seq2[*Message, error] {
	return t.rows(ctx, "show", bq.TableID{}, map[string]any{"message_id": messageID})
}

// candidates yields what a replay into target looks at, the oldest first.
func (t *Table) candidates(ctx context.Context, f Filter, subscription string, target bq.TableID) iter.Seq2[*Message, error] {
	return t.rows(ctx, "replay", target, map[string]any{
		"since": f.Since, "reason": f.Reason, "device": f.Device, "message_id": f.MessageID, "subscription": subscription,
	})
}

// standIn is the name that a table has in the texts of the queries.
func standIn(table string) string {
	return schema.ProjectPlaceholder + "." + schema.DatasetPlaceholder + "." + table
}

// rows runs one of the queries. Only the names of tables are put into its text, and
// those are of the form that ParseTableID takes.
func (t *Table) rows(ctx context.Context, name string, target bq.TableID, parameters map[string]any) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		text, err := queries.ReadFile("sql/" + name + ".sql")
		if err != nil {
			panic(err) // the names stand in this file
		}
		names := strings.NewReplacer(standIn("quarantine"), t.ID.String(), standIn("temperature"), target.String())
		q := t.Client.Query(names.Replace(string(text)))
		for name, value := range parameters {
			q.Parameters = append(q.Parameters, bigquery.QueryParameter{Name: name, Value: value})
		}
		rows, err := q.Read(ctx)
		if err != nil {
			yield(nil, fmt.Errorf("table %s: %w", t.ID, err))
			return
		}
		for {
			m := new(Message)
			err := rows.Next(m)
			if errors.Is(err, iterator.Done) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("table %s: %w", t.ID, err))
				return
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}
