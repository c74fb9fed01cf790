package bigquery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"iotbridge/ingest"
	"iotbridge/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("go.opencensus.io/stats/view.(*worker).start"),
		// Where an append meets a stream that has just ended, the library sleeps 20 s before it cancels the old context.
		goleak.IgnoreAnyFunction("cloud.google.com/go/bigquery/storage/managedwriter.(*connection).getStream.func1"))
}

// server is a BigQueryWrite service that does as the test's script says.
type server struct {
	storagepb.UnimplementedBigQueryWriteServer
	addr string
	end  chan struct{} // closed when the test ends: frees what hangs

	mu     sync.Mutex
	live   func() (*storagepb.WriteStream, error) // nil: there, schema not told
	script func(call int, req *storagepb.AppendRowsRequest) step
	calls  int
	gets   int
	opens  int
	ended  int
	stored [][]byte
	first  *storagepb.AppendRowsRequest // of the last stream
}

// step is what happens to one request. The zero value stores and confirms it.
type step struct {
	reply *storagepb.AppendRowsResponse // instead of storing
	end   error                         // ends the stream
	then  error                         // ends the stream after the answer
	apply bool                          // stores although reply or end is set
	wait  <-chan struct{}               // before anything
	hang  bool                          // for ever
	more  int                           // so many requests are read, and not looked at, before anything
}

func newServer(t testing.TB) *server {
	s := &server{addr: "127.0.0.1:0", end: make(chan struct{})}
	stop := s.serve(t)
	t.Cleanup(func() {
		close(s.end)
		stop()
	})
	return s
}

// serve listens on the server's address until stop.
// address is one that nobody else is given while it is not listened on: it lies below
// the ports that systems give out.
func address(t testing.TB) string {
	for {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(10_000)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
}

func (s *server) serve(t testing.TB) (stop func()) {
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	g := grpc.NewServer(grpc.MaxRecvMsgSize(16 << 20))
	storagepb.RegisterBigQueryWriteServer(g, s)
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(l) })
	return func() {
		g.Stop()
		serving.Wait()
	}
}

func (s *server) GetWriteStream(_ context.Context, req *storagepb.GetWriteStreamRequest) (*storagepb.WriteStream, error) {
	s.mu.Lock()
	s.gets++
	live := s.live
	s.mu.Unlock()
	if live != nil {
		return live()
	}
	return &storagepb.WriteStream{Name: req.GetName(), Location: "us"}, nil
}

func (s *server) AppendRows(stream storagepb.BigQueryWrite_AppendRowsServer) error {
	s.locked(func() { s.opens++ })
	defer s.locked(func() { s.ended++ })
	for first := true; ; first = false {
		req, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		st := s.next(req, first)
		for range st.more {
			if _, err := stream.Recv(); err != nil {
				return err
			}
		}
		if st.wait != nil {
			select {
			case <-st.wait:
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		}
		if st.hang {
			select {
			case <-s.end:
			case <-stream.Context().Done():
			}
			return stream.Context().Err()
		}
		if st.apply || st.reply == nil && st.end == nil {
			s.locked(func() { s.stored = append(s.stored, req.GetProtoRows().GetRows().GetSerializedRows()...) })
		}
		if st.end != nil {
			return st.end
		}
		if st.reply == nil {
			st.reply = confirmed()
		}
		if err := stream.Send(st.reply); err != nil {
			return err
		}
		if st.then != nil {
			return st.then
		}
	}
}

func (s *server) next(req *storagepb.AppendRowsRequest, first bool) step {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first {
		s.first = req
	}
	s.calls++
	if s.script == nil {
		return step{}
	}
	return s.script(s.calls, req)
}

func (s *server) locked(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// do changes the script.
func (s *server) do(script func(call int, req *storagepb.AppendRowsRequest) step) {
	s.locked(func() { s.script = script })
}

// onCall makes one call, counted from 1, meet a step.
func onCall(n int, st step) func(int, *storagepb.AppendRowsRequest) step {
	return func(call int, _ *storagepb.AppendRowsRequest) step {
		if call == n {
			return st
		}
		return step{}
	}
}

func (s *server) rows() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored
}

func (s *server) counts() (calls, opens, gets int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.opens, s.gets
}

func confirmed() *storagepb.AppendRowsResponse {
	return &storagepb.AppendRowsResponse{Response: &storagepb.AppendRowsResponse_AppendResult_{
		AppendResult: &storagepb.AppendRowsResponse_AppendResult{},
	}}
}

// inBand is an answer that carries an error beside the rows at fault.
func inBand(err error, rows ...int64) *storagepb.AppendRowsResponse {
	resp := &storagepb.AppendRowsResponse{Response: &storagepb.AppendRowsResponse_Error{
		Error: proto.CloneOf(status.Convert(err).Proto()),
	}}
	for _, i := range rows {
		resp.RowErrors = append(resp.RowErrors, &storagepb.RowError{
			Index: i, Code: storagepb.RowError_FIELDS_ERROR, Message: "field n: value out of range",
		})
	}
	return resp
}

// storageError is a status with the service's own code in its details.
func storageError(code codes.Code, detail storagepb.StorageError_StorageErrorCode) error {
	s, err := status.New(code, "the service's words").WithDetails(&storagepb.StorageError{Code: detail, Entity: "e"})
	if err != nil {
		panic(err)
	}
	return s.Err()
}

var testID = TableID{"p", "d", "t"}

func testTable() *schema.Table {
	return &schema.Table{Name: "t", Columns: []schema.Column{
		{Name: "id", Type: schema.String, Required: true},
		{Name: "n", Type: schema.Int64},
		{Name: "at", Type: schema.Timestamp, Required: true},
	}}
}

func newSink(t testing.TB, s *server, with Settings) *Sink {
	with.Endpoint.Storage = s.addr
	sink, err := NewSink(testID, testTable(), with)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sink.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return sink
}

// rows makes n rows, each of its own text.
func rows(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		b := protowire.AppendTag(nil, 1, protowire.BytesType)
		b = protowire.AppendString(b, time.Duration(i).String())
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		b = protowire.AppendVarint(b, uint64(i))
		b = protowire.AppendTag(b, 3, protowire.VarintType)
		out[i] = protowire.AppendVarint(b, 1_700_000_000_000_000)
	}
	return out
}

var _ ingest.Sink = (*Sink)(nil)
