package registry_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"iotbridge/gateway/provision"
	"iotbridge/internal/testpostgres"
)

// million are as many serials as a factory's year, in no order.
func million(yield func(provision.Entry, error) bool) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1_000_000 {
		if !yield(provision.Entry{Serial: fmt.Sprintf("%016X", random.Uint64())}, nil) {
			return
		}
	}
}

func BenchmarkEnlistMillion(b *testing.B) {
	for name, address := range map[string]func(testing.TB) string{
		"SQLite":     func(b testing.TB) string { return "sqlite:" + b.TempDir() + "/registry.db" },
		"PostgreSQL": testpostgres.Database,
	} {
		b.Run(name, func(b *testing.B) {
			o := newOffice(b, newWorld(b, openAt(b, address(b)), nil))
			for b.Loop() {
				if n, err := o.Enlist(b.Context(), "bench", o.profile, provision.Allow, million); err != nil || n != 1_000_000 && b.N == 1 {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(1_000_000*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// A board that asks again, and a new one.
func BenchmarkSettle(b *testing.B) {
	o := newOffice(b, newWorld(b, openAt(b, "sqlite:"+b.TempDir()+"/registry.db"), nil))
	for name, decide := range map[string]error{"Refused": errRefused, "Granted": nil} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				one := newBoard(b, serial(1000*b.N+i))
				b.StartTimer()
				if _, err := o.Settle(b.Context(), o.profile, one.Unit, one.spki, func(provision.Known) (*provision.Change, error) {
					return one.change(), decide
				}); !errors.Is(err, decide) {
					b.Fatal(err)
				}
			}
		})
	}
}
