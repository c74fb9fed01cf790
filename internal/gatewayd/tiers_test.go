package gatewayd

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// ending books the order in which parts end, each so long after it is told.
type ending struct {
	mu    sync.Mutex
	order []string
}

func (e *ending) part(name string, takes time.Duration) part {
	return func(ctx context.Context) error {
		<-ctx.Done()
		<-time.After(takes)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.order = append(e.order, name)
		return nil
	}
}

func TestATierEndsWhenTheOneAboveHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &ending{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := tiers(ctx, []part{e.part("slow door", 9*time.Second), e.part("door", time.Second)},
			[]part{e.part("hall", 2*time.Second)}, []part{e.part("cellar", 0)})
		if want := []string{"door", "slow door", "hall", "cellar"}; err != nil || !slices.Equal(e.order, want) {
			t.Errorf("%v, ended in the order %v, want %v", err, e.order, want)
		}
	})
}

// A part that fails, in whatever tier, ends all in the same order.
func TestAPartThatFailsEndsAllInOrder(t *testing.T) {
	broken := errors.New("broken")
	failing := func(context.Context) error { return broken }
	for tier := range 3 {
		synctest.Test(t, func(t *testing.T) {
			e := &ending{}
			all := [][]part{{e.part("door", 3*time.Second)}, {e.part("hall", 2*time.Second)}, {e.part("cellar", time.Second)}}
			all[tier] = append(all[tier], failing)
			if err := tiers(t.Context(), all...); !errors.Is(err, broken) {
				t.Errorf("tier %d: %v", tier, err)
			}
			if want := []string{"door", "hall", "cellar"}; !slices.Equal(e.order, want) {
				t.Errorf("tier %d failed, ended in the order %v, want %v", tier, e.order, want)
			}
		})
	}
}

// B33: a store that does not answer turns readiness off, in words, and heals.
func TestB33_ReadinessFollowsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &assembly{holds: &gateway.Holds{}, log: zap.NewNop()}
		ctx, cancel := context.WithCancel(t.Context())
		var fault error
		var mu sync.Mutex
		set := func(err error) {
			mu.Lock()
			defer mu.Unlock()
			fault = err
		}
		ended := make(chan error, 1)
		go func() {
			ended <- a.ask(ctx, func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				return fault
			})
		}()
		for _, step := range []struct {
			fault error
			want  []string
		}{
			{nil, nil},
			{errors.New("registry.db: disk I/O error"), []string{"store: does not answer, no new device is let in: registry.db: disk I/O error"}},
			{nil, nil},
		} {
			set(step.fault)
			<-time.After(askEvery + time.Second)
			if got := a.holds.Reasons(); !slices.Equal(got, step.want) || a.holds.Held(gateway.CauseStore) != (step.want != nil) {
				t.Errorf("%q, want %q", got, step.want)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
