package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// mailbox takes the messages of a subscription.
type mailbox struct {
	t    *testing.T
	pull pubsubpb.SubscriberClient
	from string

	mu    sync.Mutex
	first map[string]arrival // of each reading
	total int
	twice []string      // readings that came with two bodies
	news  chan struct{} // closed, and another, with each message
}

type arrival struct {
	body  [sha256.Size]byte
	taken time.Time // as the reading tells
	at    time.Time // when Pub/Sub had it
}

// open takes what comes, until the test ends.
func (s *served) open(t *testing.T) *mailbox {
	t.Helper()
	conn, err := grpc.NewClient(s.PubSub, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	m := &mailbox{t: t, pull: pubsubpb.NewSubscriberClient(conn), from: s.Subscription, first: map[string]arrival{}, news: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := m.take(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("pull: %v", err)
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; conn.Close() })
	return m
}

func (m *mailbox) take(ctx context.Context) error {
	res, err := m.pull.Pull(ctx, &pubsubpb.PullRequest{Subscription: m.from, MaxMessages: 1000})
	if status.Code(err) == codes.DeadlineExceeded || status.Code(err) == codes.Unavailable {
		return nil
	}
	if err != nil {
		return err
	}
	var acks []string
	for _, r := range res.ReceivedMessages {
		acks = append(acks, r.AckId)
		if err := m.note(r.Message); err != nil {
			return err
		}
	}
	if len(acks) == 0 {
		return nil
	}
	_, err = m.pull.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: m.from, AckIds: acks})
	return err
}

func (m *mailbox) note(message *pubsubpb.PubsubMessage) error {
	var body struct {
		ID string  `json:"reading_id"`
		At float64 `json:"timestamp"`
	}
	if err := json.Unmarshal(message.Data, &body); err != nil {
		return fmt.Errorf("%s: %w", message.Data, err)
	}
	a := arrival{sha256.Sum256(message.Data), time.UnixMilli(int64(body.At * 1000)), message.PublishTime.AsTime()}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total++
	switch before, known := m.first[body.ID]; {
	case !known:
		m.first[body.ID] = a
	case before.body != a.body:
		m.twice = append(m.twice, body.ID)
	}
	close(m.news)
	m.news = make(chan struct{})
	return nil
}

// until waits until what has come is as wanted; wanted is called under the lock.
func (m *mailbox) until(what string, patience time.Duration, wanted func() bool) {
	m.t.Helper()
	late := time.After(patience)
	for {
		m.mu.Lock()
		good, news, twice := wanted(), m.news, m.twice
		m.mu.Unlock()
		if len(twice) > 0 {
			m.t.Fatalf("%s is the name of two readings", twice[0])
		}
		if good {
			return
		}
		select {
		case <-news:
		case <-late:
			m.mu.Lock()
			defer m.mu.Unlock()
			m.t.Fatalf("never %s: %d messages, %d readings", what, m.total, len(m.first))
		}
	}
}

// has says whether the first n readings of a stream have come.
func (m *mailbox) has(stream string, n int) bool {
	for ; n > 0; n-- { // the last one is missing for the longest time
		if _, ok := m.first[fmt.Sprintf("%s-%d", stream, n)]; !ok {
			return false
		}
	}
	return true
}
