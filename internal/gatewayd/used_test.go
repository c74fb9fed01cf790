package gatewayd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// away is a store that does not answer, until it does.
type away struct {
	mu   sync.Mutex
	back bool
	told map[uint64]time.Time
}

func (s *away) Used(_ context.Context, device uint64, _ gateway.Credential, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.back {
		return errors.New("does not answer")
	}
	s.told[device] = at
	return nil
}

// A first use that the store does not take is told when it is back, as of then.
func TestAFirstUseIsToldLateRatherThanNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &away{told: map[uint64]time.Time{}}
		u := &uses{Claims: store, Log: zap.NewNop()}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- u.Run(ctx) }()
		at := time.Now()
		for number := range uint64(3) {
			u.tell(ctx, &gateway.Admission{Device: &gateway.Device{Number: number, Credentials: []gateway.Credential{{Format: gateway.ES256X509, PEM: "a certificate"}}}}, at)
		}
		<-time.After(3 * lateEvery)
		synctest.Wait()
		if len(store.told) != 0 {
			t.Error("told while it was away")
		}
		store.mu.Lock()
		store.back = true
		store.mu.Unlock()
		<-time.After(lateEvery)
		synctest.Wait()
		if len(store.told) != 3 || !store.told[0].Equal(at) || len(u.late) != 0 {
			t.Errorf("%v, %d late", store.told, len(u.late))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
