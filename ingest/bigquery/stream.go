package bigquery

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"cloud.google.com/go/bigquery/storage/managedwriter"
	"github.com/googleapis/gax-go/v2"
)

// openTimeout bounds the opening of a stream, unless an append has less time.
const openTimeout = 10 * time.Second

// credit is more appends than are ever in flight on one stream. What the library
// leaks of it dies with the stream.
const credit = 4096

// stream is one connection to the service and the one append stream on it.
type stream struct {
	ctx     context.Context    // of the connection: as long as the stream, whoever appends
	cut     context.CancelFunc // ends the connection; whatever is in flight on it returns
	ready   chan struct{}      // closed when opening has ended; then client, writer and err hold
	client  *managedwriter.Client
	writer  *managedwriter.ManagedStream
	err     error
	failed  atomic.Int32 // appends since the last success
	load    int          // appends that have it; guarded by streams
	retired bool         // guarded by streams
}

// newStream returns a stream in the state of opening.
func newStream(open func(*stream) error) *stream {
	st := &stream{ready: make(chan struct{})}
	st.ctx, st.cut = context.WithCancel(context.Background())
	go func() {
		defer close(st.ready)
		st.err = open(st)
	}()
	return st
}

// open is the work of opening: a client, a look at the table, a writer.
func (s *Sink) open(st *stream) (err error) {
	// The context of the client holds its connections: cutting it frees what is blocked on them.
	if st.client, err = managedwriter.NewClient(st.ctx, s.ID.Project, s.dial...); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(st.ctx, min(openTimeout, s.timeout))
	defer cancel()
	if err := s.look(ctx, st.client); err != nil {
		return err
	}
	// The context of the writer must outlive the cut, or an append could return while
	// the library still reads its rows. Until the writer is open it is bounded too.
	writing, stop := context.WithCancel(context.Background())
	bounded := context.AfterFunc(ctx, stop)
	st.writer, err = st.client.NewManagedStream(writing,
		managedwriter.WithType(managedwriter.DefaultStream),
		managedwriter.WithDestinationTable(s.ID.resource()),
		managedwriter.WithSchemaDescriptor(s.descriptor),
		managedwriter.WithMaxInflightRequests(credit),
		managedwriter.WithMaxInflightBytes(0),
		managedwriter.EnableWriteRetries(false),
		managedwriter.WithTraceID("iotbridge:"+s.Version),
		managedwriter.WithAppendRowsCallOption(once))
	if !bounded() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		stop()
	}
	return err
}

// once turns a call's own retries off.
var once = gax.WithRetry(func() gax.Retryer { return nil })

// look asks for the table behind the default stream, and compares its schema with ours.
func (s *Sink) look(ctx context.Context, client *managedwriter.Client) error {
	live, err := client.GetWriteStream(ctx, &storagepb.GetWriteStreamRequest{
		Name: s.ID.resource() + "/streams/_default", View: storagepb.WriteStreamView_FULL,
	}, once)
	if err != nil {
		return err
	}
	if live.GetTableSchema() == nil {
		return nil // not told
	}
	if d := Compare(s.Table, fromStorage(live.GetTableSchema())); d != nil {
		return drift(s.ID, describe(d))
	}
	s.fits.Store(time.Now().UnixNano())
	return nil
}

// opened waits for the end of opening, and returns its error.
func (st *stream) opened(ctx context.Context) error {
	select {
	case <-st.ready:
		return st.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// append sends rows and waits for the answer. After timeout, or when ctx ends, it
// cuts the stream. It returns when the library has let go of the rows, or at abandon.
func (st *stream) append(ctx context.Context, rows [][]byte, timeout, abandon time.Duration) (a answer, sent bool) {
	late := time.AfterFunc(timeout, st.cut)
	called := context.AfterFunc(ctx, st.cut)
	// The library must not see ctx: it would return while it still reads the rows.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), abandon)
	defer cancel()
	result, err := st.writer.AppendRows(own, rows)
	if sent = err == nil; sent {
		a.resp, a.err = result.FullResponse(own)
	} else {
		a.err = err
	}
	switch inTime, running := late.Stop(), called(); {
	case a.resp != nil:
	case !running:
		a.err = fmt.Errorf("cut off before the answer: %w", ctx.Err())
	case !inTime:
		a.err = fmt.Errorf("no answer within %v: %w", timeout, context.DeadlineExceeded)
	}
	return a, sent
}

// close ends what open began. Nothing may be in flight.
func (st *stream) close() {
	st.cut() // first: Close waits for a lock that a blocked send holds
	<-st.ready
	if st.writer != nil {
		_ = st.writer.Close() // io.EOF is its success
	}
	if st.client != nil {
		_ = st.client.Close()
	}
}
