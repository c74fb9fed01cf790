package console_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
)

// A gateway's latest count may be its latest point, too.
func TestTheRateIsBetweenTwoMoments(t *testing.T) {
	b := newBed(t)
	at := time.Now()
	for _, since := range []time.Duration{0, 5 * time.Second} {
		p := gateway.Pulse{Instance: "gateway-1", Began: at.Add(-time.Minute), At: at.Add(since), Events: 150 + uint64(10*since.Seconds())}
		p.Recent = []gateway.PulsePoint{{At: at.Add(-15 * time.Second)}, {At: at, Events: 150}}
		if err := b.store.Fleet().Beat(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if page := b.browse(viewer).get("/").text; !strings.Contains(page, ">10.0 <small>messages a second") {
			t.Errorf("%v after the last point it does not say 10.0 a second:\n%s", since, page)
		}
	}
}

// flow is a warehouse that knows the last minutes.
type flow struct {
	console.Warehouse
	minutes []console.Minute
}

func (f flow) Flow(context.Context, time.Time) ([]console.Minute, error) { return f.minutes, nil }

// A minute that is not over has fewer rows, and no lower rate.
func TestTheRunningMinuteIsNoDip(t *testing.T) {
	for name, c := range map[string]struct {
		running       time.Duration // how long
		stored        int
		least, beyond float64
	}{
		"over":      {60 * time.Second, 600, 10, 10.1},
		"half over": {30 * time.Second, 300, 5.1, 10.1}, // 10, were the machine not slow
		"to come":   {-30 * time.Second, 3, 20, 20.1},   // the minute before counts
	} {
		at := time.Now().Add(-c.running)
		f := flow{minutes: []console.Minute{{At: at.Add(-2 * time.Minute), Stored: 1200, AgeP99: time.Second}, {At: at, Stored: c.stored, AgeP99: time.Second}}}
		b := newBed(t, func(c *console.Console) { c.Warehouse = f })
		_, tile, _ := strings.Cut(b.browse(viewer).get("/").text, "<dt>Stored</dt><dd>")
		tile, _, _ = strings.Cut(tile, " <small>")
		if got, err := strconv.ParseFloat(tile, 64); err != nil || got < c.least || got >= c.beyond {
			t.Errorf("%s: stored %s rows a second, want %v", name, tile, c.least)
		}
	}
}
