package bigquery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

// token is a credential that can be had or not; looking at the table is always allowed.
type token struct{ lost atomic.Bool }

func (c *token) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	if r, _ := credentials.RequestInfoFromContext(ctx); c.lost.Load() && r.Method == storagepb.BigQueryWrite_AppendRows_FullMethodName {
		return nil, errors.New("no token")
	}
	return nil, nil
}

func (c *token) RequireTransportSecurity() bool { return false }

// The library keeps a failure to open for ever, and gives the credit of every append
// that meets it away.
func TestStreamThatDidNotOpenIsReplaced(t *testing.T) {
	s := newServer(t)
	sink := newSink(t, s, Settings{Streams: 1})
	var c token
	sink.dial = append(sink.dial, option.WithGRPCDialOption(grpc.WithPerRPCCredentials(&c)))
	c.lost.Store(true)
	const failures = 20
	for range failures {
		if err := sink.Append(context.Background(), rows(1)); kind(err) != "permission" {
			t.Fatalf("without a token: %v", err)
		}
	}
	c.lost.Store(false)
	if err := sink.Append(context.Background(), rows(1)); err != nil {
		t.Fatalf("with a token again: %v", err)
	}
	// Two looks at the table a stream. No stream was used after it had failed, so no credit is lost.
	if _, opens, gets := s.counts(); opens != 1 || gets != 2*(failures+1) {
		t.Errorf("%d streams opened, %d looks at the table, want 1 and %d", opens, gets, 2*(failures+1))
	}
}

// The library waits for an answer for ever.
// unanswered is how long a test waits for an answer that does not come. Opening the
// stream has no more time.
const unanswered = 3 * time.Second

func TestB57_NoAnswer(t *testing.T) {
	for name, with := range map[string]Settings{
		"timeout":  {Timeout: unanswered},
		"watchdog": {Timeout: 10 * time.Minute, Watchdog: unanswered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.do(onCall(1, step{hang: true}))
			with.Metrics = ingest.NewMetrics(prometheus.NewRegistry())
			sink := newSink(t, s, with)
			if err := sink.Append(context.Background(), rows(1)); kind(err) != "unknown" || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("without an answer: %v", err)
			}
			if err := sink.Append(context.Background(), rows(1)); err != nil {
				t.Fatal(err)
			}
			if n := testutil.ToFloat64(with.Metrics.StreamRestarts.WithLabelValues("bigquery")); n != 1 {
				t.Errorf("%v restarts, want 1", n)
			}
		})
	}
}

func TestB57_OtherStreamsRun(t *testing.T) {
	s := newServer(t)
	held, arrived := make(chan struct{}), make(chan struct{})
	s.do(func(call int, _ *storagepb.AppendRowsRequest) step {
		if call == 1 {
			close(arrived)
			return step{wait: held}
		}
		return step{}
	})
	sink := newSink(t, s, Settings{Streams: 2})
	var slow sync.WaitGroup
	slow.Go(func() {
		if err := sink.Append(context.Background(), rows(1)); err != nil {
			t.Error(err)
		}
	})
	<-arrived
	for range 10 {
		if err := sink.Append(context.Background(), rows(1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(s.rows()); n != 10 {
		t.Errorf("%d rows stored beside the slow append, want 10", n)
	}
	close(held)
	slow.Wait()
	if _, opens, _ := s.counts(); opens != 2 {
		t.Errorf("%d streams, want 2", opens)
	}
}

// A send that nobody reads blocks inside the library, with its lock held. The rows
// belong to the caller again when Append returns: the race detector sees it if not.
func TestRowsAreFreeAfterATimeout(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.do(func(int, *storagepb.AppendRowsRequest) step { return step{hang: true} })
	sink := newSink(t, s, Settings{Streams: 1, Timeout: unanswered})
	var appends sync.WaitGroup
	for range 4 {
		appends.Go(func() {
			batch := [][]byte{make([]byte, 4<<20), make([]byte, 4<<20)}
			if err := sink.Append(context.Background(), batch); kind(err) != "unknown" {
				t.Error(err)
			}
			clear(batch[0])
			batch[1] = nil
		})
	}
	appends.Wait()
	if n := len(s.rows()); n != 0 {
		t.Errorf("%d rows stored", n)
	}
}

func TestOpeningIsBounded(t *testing.T) {
	s := newServer(t)
	s.live = func() (*storagepb.WriteStream, error) {
		<-s.end
		return nil, status.Error(codes.Unavailable, "")
	}
	sink := newSink(t, s, Settings{Timeout: 50 * time.Millisecond})
	if err := sink.Append(context.Background(), rows(1)); kind(err) != "unavailable" {
		t.Fatal(err)
	}
}

func TestIdleStreamIsReplacedSilently(t *testing.T) {
	s := newServer(t)
	s.do(onCall(1, step{then: status.Error(codes.Aborted, "Closing the stream because client has been inactive for 600 seconds.")}))
	m := ingest.NewMetrics(prometheus.NewRegistry())
	sink := newSink(t, s, Settings{Metrics: m})
	for range 2 {
		if err := sink.Append(context.Background(), rows(1)); err != nil {
			t.Fatal(err)
		}
	}
	if _, opens, _ := s.counts(); opens != 2 {
		t.Errorf("%d streams, want 2", opens)
	}
	if n := testutil.CollectAndCount(m.AppendSeconds); n != 1 { // code OK alone
		t.Errorf("%d codes were counted, want 1", n)
	}
	if n := testutil.ToFloat64(m.StreamRestarts.WithLabelValues("bigquery")); n != 0 {
		t.Errorf("%v restarts were counted, want none", n)
	}
}

func TestStreamThatOnlyFailsIsReplaced(t *testing.T) {
	s := newServer(t)
	s.do(func(int, *storagepb.AppendRowsRequest) step {
		return step{reply: inBand(status.Error(codes.Internal, "sick"))}
	})
	sink := newSink(t, s, Settings{})
	for range 2 * maxFailures {
		if err := sink.Append(context.Background(), rows(1)); kind(err) != "unknown" {
			t.Fatal(err)
		}
	}
	if _, opens, _ := s.counts(); opens != 2 {
		t.Errorf("%d streams for %d failures, want 2", opens, 2*maxFailures)
	}
}

// The library's own Close loses what is in flight.
func TestCloseWaitsForAppends(t *testing.T) {
	s := newServer(t)
	held, arrived := make(chan struct{}), make(chan struct{})
	s.do(func(int, *storagepb.AppendRowsRequest) step {
		close(arrived)
		return step{wait: held}
	})
	sink := newSink(t, s, Settings{})
	answer, closed := make(chan error, 1), make(chan error, 1)
	go func() { answer <- sink.Append(context.Background(), rows(1)) }()
	<-arrived
	go func() { closed <- sink.Close(context.Background()) }()
	select {
	case <-closed:
		t.Error("closed before the answer")
	case <-time.After(50 * time.Millisecond):
	}
	close(held)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if err := sink.Append(context.Background(), rows(1)); kind(err) != "unknown" {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseCutsOffWhenItsTimeEnds(t *testing.T) {
	s := newServer(t)
	arrived := make(chan struct{})
	s.do(func(int, *storagepb.AppendRowsRequest) step {
		close(arrived)
		return step{hang: true}
	})
	sink := newSink(t, s, Settings{Timeout: time.Hour, Watchdog: time.Hour})
	answer := make(chan error, 1)
	go func() { answer <- sink.Append(context.Background(), rows(1)) }()
	<-arrived
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sink.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if err := <-answer; kind(err) != "unknown" {
		t.Errorf("cut off: %v", err)
	}
}
