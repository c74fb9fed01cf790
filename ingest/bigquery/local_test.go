package bigquery

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"iotbridge/ingest"
	local "iotbridge/localcloud/bigquery"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

// localBigQuery serves the local BigQuery on loopback.
func localBigQuery(t *testing.T) (*local.Server, *fault.Injector, Endpoint) {
	t.Helper()
	faults := &fault.Injector{}
	server, err := local.Open(filepath.Join(t.TempDir(), "bigquery.db"), local.Options{Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	rest := httptest.NewServer(server.Handler())
	t.Cleanup(rest.Close)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(local.MaxRecvMsgSize))
	server.Register(g)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = g.Serve(l) })
	t.Cleanup(func() {
		g.Stop()
		serving.Wait()
	})
	return server, faults, Endpoint{REST: rest.Listener.Addr().String(), Storage: l.Addr().String()}
}

func localSink(t *testing.T, e Endpoint, table *schema.Table) *Sink {
	t.Helper()
	return localSinkTo(t, e, testID, table)
}

func localSinkTo(t *testing.T, e Endpoint, id TableID, table *schema.Table) *Sink {
	t.Helper()
	sink, err := NewSink(id, table, Settings{Endpoint: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func TestSinkAgainstLocalBigQuery(t *testing.T) {
	server, _, e := localBigQuery(t)
	c := newCatalog(t, e)
	sink := localSink(t, e, testTable())
	ctx := context.Background()
	if err := sink.Append(ctx, rows(3)); kind(err) != "missing" {
		t.Fatalf("no table yet: %v", err)
	}
	if err := errors.Join(c.EnsureDataset(ctx, testID, ""), c.EnsureTable(ctx, testID, testTable())); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sink.Check(ctx), sink.Append(ctx, rows(500))); err != nil {
		t.Fatal(err)
	}
	if n, err := server.Count(ctx, testID.String()); n != 500 || err != nil {
		t.Errorf("%d rows, %v, want 500", n, err)
	}
	poisoned := rows(100)
	poisoned[41] = []byte{0x10, 1} // lacks what is required
	var named *ingest.RowErrors
	if err := sink.Append(ctx, poisoned); !errors.As(err, &named) || len(named.Rows) != 1 || named.Rows[0].Index != 41 {
		t.Errorf("poison: %v", err)
	}
	if n, err := server.Count(ctx, testID.String()); n != 500 || err != nil {
		t.Errorf("%d rows, %v, want 500 as before", n, err)
	}
}

// The rows of our plans are what the service takes our descriptors to say.
func TestPlannedRowsAreStoredAsMeant(t *testing.T) {
	server, _, e := localBigQuery(t)
	c := newCatalog(t, e)
	ctx := context.Background()
	m := &schema.Message{
		ID: []byte("4711"), PublishTime: 1_700_000_001_000_000, Attempt: 3,
		Data:       []byte(`{"device_id":"device1","timestamp":1700000000.5,"temperature":21.25,"battery":3}`),
		Attributes: []schema.Attribute{{Key: []byte("deviceId"), Value: []byte("device1")}, {Key: []byte("subFolder"), Value: nil}},
	}
	if err := c.EnsureDataset(ctx, testID, "EU"); err != nil {
		t.Fatal(err)
	}
	store := func(name string, row func(*schema.Plan) []byte) TableID {
		t.Helper()
		id := TableID{"p", "d", name}
		table := builtin(t, name)
		plan, err := table.Compile()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.EnsureTable(ctx, id, table); err != nil {
			t.Fatal(err)
		}
		if err := localSinkTo(t, e, id, table).Append(ctx, [][]byte{row(plan)}); err != nil {
			t.Fatal(err)
		}
		return id
	}
	expect := func(id TableID, columns []string, want ...any) {
		t.Helper()
		n := 0
		for got, err := range server.Rows(ctx, id.String(), columns...) {
			if n++; err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, %v, want %v", id, got, err, want)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d rows", id, n)
		}
	}
	id := store("temperature", func(p *schema.Plan) []byte {
		row, err := p.NewEncoder(false).Append(nil, m, 1_700_000_002_000_000)
		if err != nil {
			t.Fatal(err)
		}
		return row
	})
	expect(id, []string{"device_id", "sub_folder", "gateway_id", "event_time", "temperature", "extra", "message_id"},
		"device1", "", nil, time.UnixMicro(1_700_000_000_500_000).UTC(), 21.25, `{"battery":3}`, "4711")
	id = store("quarantine", func(p *schema.Plan) []byte {
		return p.AppendRejected(nil, m, &schema.Verdict{Rejection: &schema.Rejection{Reason: schema.WrongType, Detail: "d"}, Now: 1_700_000_003_000_000})
	})
	expect(id, []string{"reason", "detail", "data", "delivery_attempt", "quarantine_time"},
		"wrong_type", "d", m.Data, int64(3), time.UnixMicro(1_700_000_003_000_000).UTC())
}
