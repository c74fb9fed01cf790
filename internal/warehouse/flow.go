package warehouse

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"iotbridge/gateway/console"
)

// Flow is what was stored and quarantined since, minute by minute, oldest first; minutes
// in which nothing was are there, too.
func (w *Warehouse) Flow(ctx context.Context, since time.Time) ([]console.Minute, error) {
	return w.flows.Answer(ctx, struct{}{}, w.terms(), func(ctx context.Context) ([]console.Minute, error) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		return w.readFlow(ctx, since.Truncate(time.Minute))
	})
}

func (w *Warehouse) readFlow(ctx context.Context, since time.Time) ([]console.Minute, error) {
	waited, refused := map[time.Time][]waiting{}, map[time.Time]map[string]int{}
	g, asking := errgroup.WithContext(ctx)
	g.Go(func() error {
		return read(asking, w, "stored", map[string]any{"since": since}, func(r *waiting) {
			waited[r.Minute.UTC()] = append(waited[r.Minute.UTC()], *r)
		})
	})
	g.Go(func() error {
		type row struct {
			Minute   time.Time `bigquery:"minute"`
			Reason   string    `bigquery:"reason"`
			Messages int       `bigquery:"messages"`
		}
		return read(asking, w, "refused", map[string]any{"since": since}, func(r *row) {
			if refused[r.Minute.UTC()] == nil {
				refused[r.Minute.UTC()] = map[string]int{}
			}
			refused[r.Minute.UTC()][r.Reason] = r.Messages
		})
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	flow := []console.Minute{}
	for at := since.UTC(); at.Before(time.Now()); at = at.Add(time.Minute) {
		m := console.Minute{At: at, Quarantined: refused[at]}
		m.Stored, m.AgeP50, m.AgeP99 = ages(waited[at])
		flow = append(flow, m)
	}
	return flow, nil
}

// waiting is how many rows of a minute had waited so long.
type waiting struct {
	Minute   time.Time `bigquery:"minute"`
	Tenths   int64     `bigquery:"tenths"` // of a second
	Messages int       `bigquery:"messages"`
}

// ages are how many there are, and within which time half and 99 of 100 came.
func ages(rows []waiting) (total int, p50, p99 time.Duration) {
	slices.SortFunc(rows, func(a, b waiting) int { return int(a.Tenths - b.Tenths) })
	for _, r := range rows {
		total += r.Messages
	}
	seen, half := 0, false
	for _, r := range rows {
		seen += r.Messages
		within := time.Duration(max(0, r.Tenths)+1) * 100 * time.Millisecond
		if !half && 2*seen >= total {
			p50, half = within, true
		}
		if 100*seen >= 99*total {
			return total, p50, within
		}
	}
	return total, p50, p99
}
