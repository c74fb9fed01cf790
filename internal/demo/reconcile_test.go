package demo

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iotbridge/ingest/bigquery"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
	"iotbridge/schema"
)

// cloud serves the three tables of the demonstration until the test ends.
func cloud(t *testing.T) *site.Site {
	t.Helper()
	c, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	s := &site.Site{Project: "demo", PubSub: c.PubSub(), BigQuery: c.BigQuery(), BigQueryStorage: c.BigQueryStorage()}
	catalog, err := bigquery.NewCatalog(t.Context(), "demo", bigquery.Endpoint{REST: s.BigQuery})
	if err != nil {
		t.Fatal(err)
	}
	defer catalog.Close()
	for _, name := range schema.BuiltinNames() {
		id := bigquery.TableID{Project: "demo", Dataset: "iot", Table: name}
		if err := catalog.EnsureDataset(t.Context(), id, "US"); err != nil {
			t.Fatal(err)
		}
		if err := catalog.EnsureTable(t.Context(), id, builtin(t, name)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func builtin(t *testing.T, name string) *schema.Table {
	t.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// store appends one row: a good one, or with a reason a refused one.
func store(t *testing.T, s *site.Site, table, id string, m *Message, reason schema.Reason) {
	t.Helper()
	plan, err := builtin(t, table).Compile()
	if err != nil {
		t.Fatal(err)
	}
	delivered := &schema.Message{ID: []byte(id), PublishTime: time.Now().UnixMicro(), Data: m.Data}
	for k, v := range m.Attributes {
		delivered.Attributes = append(delivered.Attributes, schema.Attribute{Key: []byte(k), Value: []byte(v)})
	}
	var row []byte
	if reason != "" {
		row = plan.AppendRejected(nil, delivered, &schema.Verdict{Rejection: schema.NewRejection(reason, "")})
	} else if row, err = plan.NewEncoder(false).Append(nil, delivered, 0); err != nil {
		t.Fatal(err)
	}
	sink, err := bigquery.NewSink(bigquery.TableID{Project: "demo", Dataset: "iot", Table: table}, builtin(t, table),
		bigquery.Settings{Endpoint: bigquery.Endpoint{REST: s.BigQuery, Storage: s.BigQueryStorage}})
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close(t.Context())
	if err := sink.Append(t.Context(), [][]byte{row}); err != nil {
		t.Fatal(err)
	}
}

// Books that could not tell a loss would balance always.
func TestBooksSeeWhatWentWrong(t *testing.T) {
	s := cloud(t)
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tables := Tables{Client: client, Stored: []string{"demo.iot.temperature", "demo.iot.sensordata"}, Quarantine: "demo.iot.quarantine"}
	since := time.Now().Add(-time.Minute)
	fleet := &Fleet{Devices: 2, Spoofers: 1, Project: "demo", Location: "us-central1", Registry: "R", Run: "r"}
	good, other, spoofed := fleet.Message(0, 0, since), fleet.Message(1, 0, since), fleet.Message(2, 0, since)
	books := &Books{}
	check := func(what string, exact bool, want Account) {
		t.Helper()
		got, err := books.Reconcile(t.Context(), tables, since)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got); diff != "" || got.Exact() != exact {
			t.Errorf("%s: exact %v (-want +got)\n%s", what, got.Exact(), diff)
		}
	}

	store(t, s, "temperature", "99", &good, "")
	check("another run's row", true, Account{Quarantined: map[string]int{}})

	books.Enter("1", &good)
	books.Enter("2", &spoofed)
	check("nothing has arrived", false, Account{Published: 2, Spoofed: 1, Lost: 2, Quarantined: map[string]int{}})

	store(t, s, "temperature", "1", &good, "")
	store(t, s, "quarantine", "2", &spoofed, schema.DeviceMismatch)
	check("all is well", true, Account{Published: 2, Spoofed: 1, Stored: 1, Quarantined: map[string]int{"device_mismatch": 1}})

	store(t, s, "temperature", "1", &good, "")
	check("a second row", true, Account{Published: 2, Spoofed: 1, Stored: 1, Duplicates: 1, Quarantined: map[string]int{"device_mismatch": 1}})

	store(t, s, "quarantine", "1", &good, schema.WrongType)
	check("a good message refused too", false, Account{Published: 2, Spoofed: 1, Stored: 1, Duplicates: 2, Misplaced: 1, Quarantined: map[string]int{"device_mismatch": 1}})

	books.Enter("3", &other)
	store(t, s, "temperature", "3", &good, "")
	check("under another device", false, Account{Published: 3, Spoofed: 1, Stored: 2, Duplicates: 2, Misplaced: 2, Quarantined: map[string]int{"device_mismatch": 1}})

	books.Enter("4", &spoofed)
	store(t, s, "quarantine", "4", &spoofed, schema.MalformedBody)
	check("for another reason", false, Account{Published: 4, Spoofed: 2, Stored: 2, Duplicates: 2, Misplaced: 3, Quarantined: map[string]int{"device_mismatch": 1, "malformed_body": 1}})
}

func TestSettledGivesUpWithItsContext(t *testing.T) {
	s := cloud(t)
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	books := &Books{}
	books.Enter("1", &Message{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := books.Settled(ctx, Tables{Client: client, Quarantine: "demo.iot.quarantine"}, time.Now()); err == nil || ctx.Err() == nil {
		t.Errorf("settled without its message: %v", err)
	}
}
