package bigquery

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

func TestB47_AnswerLost(t *testing.T) {
	s := newServer(t)
	s.do(onCall(1, step{apply: true, end: status.Error(codes.Unavailable, "connection lost")}))
	sink := newSink(t, s, Settings{})
	if err := sink.Append(context.Background(), rows(2)); kind(err) != "unknown" {
		t.Fatalf("answer lost: %v", err)
	}
	if err := sink.Append(context.Background(), rows(2)); err != nil {
		t.Fatal(err)
	}
	// Every retry is the worker's, and each stream is looked up twice: the lost one was not used again.
	if calls, _, gets := s.counts(); calls != 2 || gets != 4 {
		t.Errorf("%d requests and %d looks at the table, want 2 and 4", calls, gets)
	}
}

// A request that ends the stream takes along what is in flight beside it, and the
// innocent must not be refused for it.
func TestB51_RefusalHitsOneRequest(t *testing.T) {
	s := newServer(t)
	bad := status.Error(codes.InvalidArgument, "bad request")
	passed := make(chan struct{})
	s.do(func(call int, req *storagepb.AppendRowsRequest) step {
		switch guilty := len(req.GetProtoRows().GetRows().GetSerializedRows()) == 7; {
		case call == 1: // one of the two, and the other is behind it
			return step{more: 1, end: bad}
		case guilty:
			return step{wait: passed, end: bad}
		}
		close(passed)
		return step{}
	})
	sink := newSink(t, s, Settings{Streams: 1, Timeout: time.Minute})
	var appends sync.WaitGroup
	appends.Go(func() {
		if err := sink.Append(context.Background(), rows(7)); kind(err) != "refused" {
			t.Errorf("guilty: %v", err)
		}
	})
	appends.Go(func() {
		if err := sink.Append(context.Background(), rows(3)); kind(err) != "durable" {
			t.Errorf("innocent: %v", err)
		}
	})
	appends.Wait()
	if n := len(s.rows()); n != 3 {
		t.Errorf("%d rows stored, want 3", n)
	}
	if _, opens, _ := s.counts(); opens != 3 {
		t.Errorf("%d streams, want 3: the common one, and one for each", opens)
	}
}

// liveTable is what GetWriteStream(FULL) tells of testTable.
func liveTable() []*storagepb.TableFieldSchema {
	return []*storagepb.TableFieldSchema{
		{Name: "id", Type: storagepb.TableFieldSchema_STRING, Mode: storagepb.TableFieldSchema_REQUIRED},
		{Name: "N", Type: storagepb.TableFieldSchema_INT64, Mode: storagepb.TableFieldSchema_NULLABLE},
		{Name: "at", Type: storagepb.TableFieldSchema_TIMESTAMP, Mode: storagepb.TableFieldSchema_REQUIRED},
		{Name: "later", Type: storagepb.TableFieldSchema_STRING, Mode: storagepb.TableFieldSchema_NULLABLE},
	}
}

func (s *server) table(fields []*storagepb.TableFieldSchema) {
	s.locked(func() {
		s.live = func() (*storagepb.WriteStream, error) {
			return &storagepb.WriteStream{Location: "us", TableSchema: &storagepb.TableSchema{Fields: fields}}, nil
		}
	})
}

func TestB52_SchemaDrift(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]*storagepb.TableFieldSchema) []*storagepb.TableFieldSchema
		want   string // "" is none
	}{
		"as it was": {func(f []*storagepb.TableFieldSchema) []*storagepb.TableFieldSchema { return f }, ""},
		"dropped":   {func(f []*storagepb.TableFieldSchema) []*storagepb.TableFieldSchema { return f[1:] }, "column id: want REQUIRED STRING, have no such column"},
		"narrowed": {func(f []*storagepb.TableFieldSchema) []*storagepb.TableFieldSchema {
			f[1].Type = storagepb.TableFieldSchema_BOOL
			return f
		}, "column n: want NULLABLE INT64, have NULLABLE BOOL"},
		"required": {func(f []*storagepb.TableFieldSchema) []*storagepb.TableFieldSchema {
			f[3].Mode = storagepb.TableFieldSchema_REQUIRED
			return f
		}, "column later: want NULLABLE, as nothing is written to it, have REQUIRED STRING"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.table(c.change(liveTable()))
			sink := newSink(t, s, Settings{})
			err := sink.Append(context.Background(), rows(2))
			var held *ingest.Held
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if !errors.As(err, &held) || held.Cause != ingest.Drift || !strings.Contains(held.Detail, c.want) {
				t.Fatalf("%v, want %s", err, c.want)
			}
			s.table(liveTable())
			if err := sink.Append(context.Background(), rows(2)); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

// The table changes under an open stream, and the service says so in its two ways.
func TestB52_SchemaDriftWhileOpen(t *testing.T) {
	for name, err := range map[string]error{
		"extra fields":     storageError(codes.InvalidArgument, storagepb.StorageError_SCHEMA_MISMATCH_EXTRA_FIELDS),
		"without a detail": status.Error(codes.InvalidArgument, "the proto field mismatched"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.table(liveTable())
			sink := newSink(t, s, Settings{})
			if err := sink.Append(context.Background(), rows(2)); err != nil {
				t.Fatal(err)
			}
			sink.fits.Store(0) // long ago
			s.table(liveTable()[1:])
			s.do(func(int, *storagepb.AppendRowsRequest) step { return step{reply: inBand(err)} })
			for range 2 { // and the refusal does not wear off
				if err := sink.Append(context.Background(), rows(2)); kind(err) != "schema" {
					t.Fatal(err)
				}
			}
			s.table(liveTable())
			s.do(nil)
			if err := sink.Append(context.Background(), rows(2)); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

func TestB53_TableMissing(t *testing.T) {
	s := newServer(t)
	gone := func() (*storagepb.WriteStream, error) {
		return nil, storageError(codes.NotFound, storagepb.StorageError_TABLE_NOT_FOUND)
	}
	there := func() (*storagepb.WriteStream, error) { return &storagepb.WriteStream{Location: "us"}, nil }
	s.live = gone
	sink := newSink(t, s, Settings{})
	try := func(when, want string) {
		t.Helper()
		if err := sink.Append(context.Background(), rows(1)); kind(err) != want {
			t.Fatalf("%s: %v, want %s", when, err, want)
		}
	}
	try("missing at the start", "missing")
	s.locked(func() { s.live = there })
	try("created", "durable")
	s.locked(func() { s.live = gone })
	s.do(func(int, *storagepb.AppendRowsRequest) step {
		return step{reply: inBand(storageError(codes.NotFound, storagepb.StorageError_TABLE_NOT_FOUND))}
	})
	try("deleted", "missing")
	try("still deleted", "missing")
	s.locked(func() { s.live = there })
	s.do(nil)
	try("created again", "durable")
	s.do(onCall(4, step{reply: inBand(storageError(codes.InvalidArgument, storagepb.StorageError_STREAM_FINALIZED))}))
	_, before, _ := s.counts()
	try("stream finalized", "unknown")
	try("another stream", "durable")
	if _, opens, _ := s.counts(); opens != before+1 {
		t.Errorf("%d streams opened after the finalized one, want 1", opens-before)
	}
}

func TestB54_PermissionRevoked(t *testing.T) {
	for _, code := range []codes.Code{codes.PermissionDenied, codes.Unauthenticated} {
		s := newServer(t)
		sink := newSink(t, s, Settings{})
		try := func(want string) {
			t.Helper()
			if err := sink.Append(context.Background(), rows(1)); kind(err) != want {
				t.Fatalf("%v: %v, want %s", code, err, want)
			}
		}
		try("durable")
		s.do(func(int, *storagepb.AppendRowsRequest) step { return step{end: status.Error(code, "revoked")} })
		s.locked(func() {
			s.live = func() (*storagepb.WriteStream, error) { return nil, status.Error(code, "revoked") }
		})
		try("permission") // answered on the stream
		try("permission") // and when the next one is opened
		s.locked(func() { s.live = nil })
		s.do(nil)
		try("durable")
	}
}

// Nothing is taken for stored that is not, whatever the streams do meanwhile.
func TestB55_StormOfFaults(t *testing.T) {
	s := newServer(t)
	ends := []codes.Code{codes.Aborted, codes.Unavailable, codes.Internal, codes.Canceled, codes.Unknown}
	s.do(func(call int, _ *storagepb.AppendRowsRequest) step {
		switch {
		case call%7 == 0:
			return step{end: status.Error(ends[call%len(ends)], "storm"), apply: call%2 == 0}
		case call%5 == 0:
			return step{reply: inBand(status.Error(ends[call%len(ends)], "storm")), apply: call%2 == 0}
		}
		return step{}
	})
	sink := newSink(t, s, Settings{Streams: 3})
	var mu sync.Mutex
	confirmed := map[string]bool{}
	var appends sync.WaitGroup
	all := rows(600)
	for w := range 6 {
		appends.Go(func() {
			for i := w * 100; i < (w+1)*100; i++ {
				if sink.Append(context.Background(), all[i:i+1]) == nil {
					mu.Lock()
					confirmed[string(all[i])] = true
					mu.Unlock()
				}
			}
		})
	}
	appends.Wait()
	if len(confirmed) < 100 {
		t.Errorf("only %d of 600 confirmed", len(confirmed))
	}
	for _, row := range s.rows() {
		delete(confirmed, string(row))
	}
	if len(confirmed) > 0 {
		t.Errorf("%d rows confirmed and not stored", len(confirmed))
	}
}

func TestB56_Sizes(t *testing.T) {
	s := newServer(t)
	sink := newSink(t, s, Settings{})
	for name, c := range map[string]struct {
		rows [][]byte
		want string
	}{
		"as much as fits":         {[][]byte{make([]byte, MaxRequestBytes-9), {1, 2}}, "durable"},
		"a byte more":             {[][]byte{make([]byte, MaxRequestBytes-9), {1, 2, 3}}, "refused"},
		"Pub/Sub's largest alone": {[][]byte{make([]byte, 10_000_000+1000)}, "durable"},
		"one huge row":            {[][]byte{make([]byte, 20<<20)}, "refused"},
		"10,000 tiny":             {rows(10_000), "durable"},
	} {
		if err := sink.Append(context.Background(), c.rows); kind(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if calls, _, _ := s.counts(); calls != 3 {
		t.Errorf("%d requests reached the service, want 3", calls)
	}
}

func TestB58_AnswersThatSayNothing(t *testing.T) {
	for name, st := range map[string]step{
		"no result and no error": {reply: &storagepb.AppendRowsResponse{}, apply: true},
		"answer lost":            {end: status.Error(codes.Canceled, ""), apply: true},
		"wrong offset":           {reply: inBand(storageError(codes.OutOfRange, storagepb.StorageError_OFFSET_OUT_OF_RANGE))},
	} {
		if got := kind(appendOnce(t, st)); got != "unknown" {
			t.Errorf("%s: %s, want unknown", name, got)
		}
	}
}

func TestB55_Outage(t *testing.T) {
	s := &server{addr: address(t), end: make(chan struct{})}
	defer close(s.end)
	stop := s.serve(t)
	sink := newSink(t, s, Settings{Timeout: time.Hour, Watchdog: time.Hour})
	if err := sink.Append(context.Background(), rows(1)); err != nil {
		t.Fatal(err)
	}
	stop()
	first := kind(sink.Append(context.Background(), rows(1))) // may have been on its way
	if first != "unknown" && first != "unavailable" {
		t.Errorf("at the outage: %s", first)
	}
	for range 3 { // the library alone would try for as long as it may
		err := sink.Append(context.Background(), rows(1))
		if kind(err) != "unavailable" || !strings.Contains(err.Error(), "Unavailable: ") {
			t.Errorf("in the outage: %v", err)
		}
	}
	stop = s.serve(t)
	defer stop()
	if err := sink.Append(context.Background(), rows(1)); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	if n := len(s.rows()); n != 2 {
		t.Errorf("%d rows stored, want 2", n)
	}
}
