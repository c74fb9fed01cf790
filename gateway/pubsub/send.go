package pubsub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	publishMethod = "/google.pubsub.v1.Publisher/Publish"
	// attempt is how long one request is waited for.
	attempt = 15 * time.Second

	firstPause = 100 * time.Millisecond
	maxPause   = 10 * time.Second
)

// send sends a batch until it is confirmed, or given up, or ctx ends.
func (p *Publisher) send(ctx context.Context, b *batch) {
	err := p.invoke(ctx, b)
	for n := 0; err != nil; n++ {
		final := !passing(err)
		if final {
			p.hold(b.lane.topic, err)
		}
		if !pause(ctx, n, b.until) {
			p.givenUp(ctx, b, err)
			p.settle(b, fmt.Errorf("publish to %s: %w", b.lane.topic, bounded(err)))
			return
		}
		err = p.invoke(ctx, b)
	}
	p.works(b.lane.topic)
	p.settle(b, nil)
}

func (p *Publisher) invoke(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, min(attempt, max(time.Until(b.until), firstPause)))
	defer cancel()
	var ids published
	began := time.Now()
	err := p.Conn.Invoke(route(ctx, "topic", b.lane.topic), publishMethod, b, &ids, raw)
	if err == nil && int(ids) != len(b.done) {
		err = status.Errorf(codes.Internal, "%d ids for %d messages", ids, len(b.done))
	}
	p.Metrics.observe(status.Code(err), time.Since(began), len(b.done))
	return err
}

// route names the resource where Google's front ends look for it.
func route(ctx context.Context, field, topic string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", field+"="+url.QueryEscape(topic))
}

func (p *Publisher) givenUp(ctx context.Context, b *batch, err error) {
	if ctx.Err() == nil {
		p.hold(b.lane.topic, err)
	}
	p.Log.Warn("messages given up: whoever sent them must send them again",
		zap.String("topic", b.lane.topic), zap.Int("messages", len(b.done)), zap.Error(bounded(err)))
}

// passing reports an answer that may be another one soon, without anybody's doing.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.Internal, codes.Unknown, codes.Canceled, codes.ResourceExhausted:
		return true
	}
	return false
}

// pause waits before attempt n (from 0) is repeated, half of it jitter. It returns
// false when that would be after until, or when ctx ended.
func pause(ctx context.Context, n int, until time.Time) bool {
	most := min(firstPause<<min(n, 16), maxPause)
	wait := most/2 + rand.N(most/2) //nolint:gosec // jitter
	if ctx.Err() != nil || time.Now().Add(wait).After(until) {
		return false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
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
	return status.Error(st.Code(), text)
}
