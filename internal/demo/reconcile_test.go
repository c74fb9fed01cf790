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
func store(t *testing.T, s *site.Site, table, device string, m *Message, reason schema.Reason) {
	t.Helper()
	plan, err := builtin(t, table).Compile()
	if err != nil {
		t.Fatal(err)
	}
	delivered := &schema.Message{
		ID: []byte("1"), PublishTime: time.Now().UnixMicro(), Data: m.Data,
		Attributes: []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: []byte(device)}},
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

// reading is a body that any device may send, with the message's id.
func reading(m *Message) []byte {
	return []byte(`{"timestamp":1700000000,"temperature":20,"reading_id":"` + m.ID + `"}`)
}

// Books that could not tell a loss would balance always.
func TestBooksSeeWhatWentWrong(t *testing.T) {
	s := cloud(t)
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	tables := Tables{Client: client, Temperature: "demo.iot.temperature", Sensordata: "demo.iot.sensordata", Quarantine: "demo.iot.quarantine"}
	since := time.Now().Add(-time.Minute)
	fleet := &Fleet{Devices: 3, Spoofers: 1}
	good, malformed, spoofed := sent(t, fleet, 0, 1), sent(t, fleet, 0, 5), sent(t, fleet, 3, 11)
	sensors, stray, other := sent(t, fleet, 2, 21), sent(t, fleet, 2, 22), sent(t, fleet, 1, 31)
	lost, second := sent(t, fleet, 0, 2), sent(t, fleet, 3, 12)
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

	store(t, s, "temperature", "device1", lost, "")
	check("a row of no book", true, Account{Quarantined: map[string]int{}})

	for _, m := range []*Message{good, spoofed, malformed, sensors, spoofed} {
		books.Enter(m)
	}
	check("nothing has arrived", false, Account{Published: 4, Spoofed: 1, Malformed: 1, Lost: 4, Quarantined: map[string]int{}})

	store(t, s, "temperature", "device1", good, "")
	store(t, s, "sensordata", "device3", sensors, "")
	store(t, s, "quarantine", "device4", spoofed, schema.DeviceMismatch)
	store(t, s, "quarantine", "device1", malformed, schema.MalformedBody)
	want := Account{Published: 4, Spoofed: 1, Malformed: 1, Stored: 2, Quarantined: map[string]int{"device_mismatch": 1, "malformed_body": 1}}
	check("all is well", true, want)

	store(t, s, "temperature", "device1", good, "")
	want.Duplicates++
	check("a second row", true, want)

	store(t, s, "quarantine", "device1", good, schema.WrongType)
	want.Duplicates, want.Misplaced = 2, 1
	check("a good message refused too", false, want)

	books.Enter(other)
	other.Data = reading(other)
	store(t, s, "temperature", "device1", other, "")
	want.Published, want.Stored, want.Misplaced = 5, 3, 2
	check("under another device", false, want)

	books.Enter(second)
	store(t, s, "quarantine", "device4", second, schema.MalformedBody)
	want.Published, want.Spoofed, want.Misplaced = 6, 2, 3
	want.Quarantined["malformed_body"]++
	check("for another reason", false, want)

	books.Enter(stray)
	stray.Data = reading(stray)
	store(t, s, "temperature", "device3", stray, "")
	want.Published, want.Stored, want.Misplaced = 7, 4, 4
	check("in another topic's table", false, want)
}

func TestSettledGivesUpWithItsContext(t *testing.T) {
	s := cloud(t)
	client, err := s.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	books := &Books{}
	books.Enter(&Message{ID: stream + "-1"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := books.Settled(ctx, Tables{Client: client, Temperature: "demo.iot.temperature", Sensordata: "demo.iot.sensordata", Quarantine: "demo.iot.quarantine"}, time.Now()); err == nil || ctx.Err() == nil {
		t.Errorf("settled without its message: %v", err)
	}
}
