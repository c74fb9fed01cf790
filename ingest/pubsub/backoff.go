package pubsub

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/status"
)

// backoff doubles the pause from 100 ms to 10 s, half of it jitter. The zero value
// is at its start.
type backoff time.Duration

func (b *backoff) next() time.Duration {
	d := min(max(2*time.Duration(*b), 100*time.Millisecond), 10*time.Second)
	*b = backoff(d)
	return d/2 + rand.N(d/2)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// bounded is a service's error with no more words than a log line may take.
func bounded(err error) error {
	const limit = 256
	st := status.Convert(err)
	text := st.Message()
	if len(text) > limit {
		text = text[:limit] + "…"
	}
	return errors.New(st.Code().String() + ": " + text)
}
