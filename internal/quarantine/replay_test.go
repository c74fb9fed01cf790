package quarantine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

const subscription = "projects/demo/subscriptions/temperature-ingest"

// bed is a local cloud with the tables of a replay.
type bed struct {
	*testing.T
	faults *fault.Injector
	site   *site.Site
	client *bigquery.Client
	replay *Replay
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, faults: &fault.Injector{}}
	c, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true, Faults: b.faults})
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
	b.site = &site.Site{Project: "demo", BigQuery: c.BigQuery(), BigQueryStorage: c.BigQueryStorage()}
	if b.client, err = b.site.OpenBigQuery(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.client.Close() })
	temperature, refusals, log := builtin(t, "temperature"), builtin(t, "quarantine"), LogTable()
	target, logSink := b.sink(temperature), b.sink(log)
	b.sink(refusals)
	plan, err := temperature.Compile()
	if err != nil {
		t.Fatal(err)
	}
	b.replay = &Replay{
		From: &Table{Client: b.client, ID: id("quarantine")}, Subscription: subscription, Gate: ingest.Gate{Plan: plan},
		Target: id("temperature"), Sink: target, Log: &ReplayLog{Sink: logSink, By: "test"},
	}
	return b
}

func id(table string) bq.TableID { return bq.TableID{Project: "demo", Dataset: "iot", Table: table} }

func builtin(t *testing.T, name string) *schema.Table {
	t.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// sink makes the table, and what appends to it.
func (b *bed) sink(table *schema.Table) *bq.Sink {
	b.Helper()
	endpoint := bq.Endpoint{REST: b.site.BigQuery, Storage: b.site.BigQueryStorage}
	catalog, err := bq.NewCatalog(b.Context(), "demo", endpoint)
	if err != nil {
		b.Fatal(err)
	}
	defer catalog.Close()
	if err := errors.Join(catalog.EnsureDataset(b.Context(), id(table.Name), "US"), catalog.EnsureTable(b.Context(), id(table.Name), table)); err != nil {
		b.Fatal(err)
	}
	sink, err := bq.NewSink(id(table.Name), table, bq.Settings{Endpoint: endpoint, Streams: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sink.Close(context.Background()) })
	return sink
}

// refuse puts a message into the quarantine.
func (b *bed) refuse(messageID string, reason schema.Reason, data string) {
	b.Helper()
	plan, err := builtin(b.T, "quarantine").Compile()
	if err != nil {
		b.Fatal(err)
	}
	m := &schema.Message{ID: []byte(messageID), PublishTime: 1700000000123456, Data: []byte(data), Attributes: []schema.Attribute{
		{Key: []byte(schema.AttrDeviceID), Value: []byte("device1")}, {Key: []byte(schema.AttrRegistryID), Value: []byte("fleet")},
	}}
	row := plan.AppendRejected(nil, m, &schema.Verdict{Rejection: schema.NewRejection(reason, ""), Now: time.Now().UnixMicro(), Subscription: subscription})
	sink := b.sink(builtin(b.T, "quarantine"))
	if err := sink.Append(b.Context(), [][]byte{row}); err != nil {
		b.Fatal(err)
	}
}

// run replays all and returns the outcome of each message.
func (b *bed) run() (map[string]string, error) {
	b.Helper()
	got := map[string]string{}
	_, err := b.replay.Run(b.Context(), Filter{}, func(id, outcome, _ string) { got[id] = outcome })
	return got, err
}

const good = `{"timestamp":1700000000,"temperature":20}`

func TestAReplayKeepsIdPublishTimeAndSender(t *testing.T) {
	b := newBed(t)
	b.refuse("7", schema.ValueOutOfRange, good)
	if got, err := b.run(); err != nil || got["7"] != Stored {
		t.Fatal(got, err)
	}
	rows, err := b.client.Query("SELECT message_id, device_id, registry_id, publish_time, temperature FROM `demo.iot.temperature`").Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var row []bigquery.Value
	if err := rows.Next(&row); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(row), fmt.Sprint([]any{"7", "device1", "fleet", time.UnixMicro(1700000000123456).UTC(), 20}); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

// A gate that knows no keys cannot find that a signature is right now.
func TestAReplayFailsClosed(t *testing.T) {
	b := newBed(t)
	b.refuse("1", schema.AttestationInvalid, good)
	b.refuse("2", schema.AttestationMissing, good)
	b.refuse("3", schema.DeviceBlocked, good)
	want := map[string]string{"1": "attestation_invalid", "2": "attestation_missing", "3": "device_blocked"}
	if got, err := b.run(); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}

	// With a deny list that names it no more, the device's message comes back; with
	// keys, the signatures are looked at, and are still not there.
	list := filepath.Join(t.TempDir(), "denied")
	if err := os.WriteFile(list, []byte("fleet/device2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.replay.Gate.Denied, err = ingest.OpenDenyList(list); err != nil {
		t.Fatal(err)
	}
	_, keys, err := site.Keyring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b.replay.Gate.Attestation, err = ingest.OpenAttestor(keys, false)
	if err != nil {
		t.Fatal(err)
	}
	want = map[string]string{"1": Stored, "2": Stored, "3": Stored} // unsigned passes where a signature is not required
	if got, err := b.run(); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestARowThatBigQueryRefusesDoesNotHoldTheOthers(t *testing.T) {
	b := newBed(t)
	for _, id := range []string{"1", "2", "3"} {
		b.refuse(id, schema.ValueOutOfRange, good)
	}
	bad := b.faults.Add(fault.Rule{Method: "AppendRows", Match: func(req any) bool {
		return bytes.Contains(req.(*storagepb.AppendRowsRequest).GetProtoRows().GetRows().GetSerializedRows()[0], []byte("device1"))
	}, Times: 1, RowErrors: func([][]byte) []int { return []int{1} }})
	got, err := b.run()
	want := map[string]string{"1": Stored, "2": string(schema.RejectedByBigQuery), "3": Stored}
	if err != nil || !maps.Equal(got, want) || bad.Fired() != 1 {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func TestAReplayThatCannotWriteSaysSo(t *testing.T) {
	b := newBed(t)
	b.refuse("1", schema.ValueOutOfRange, good)
	b.faults.Add(fault.Rule{Method: "AppendRows.open", Err: status.Error(codes.PermissionDenied, "no")})
	if got, err := b.run(); err == nil || len(got) != 0 {
		t.Errorf("%v, %v, want an error and no outcome", got, err)
	}
}

func TestListShowsTheNewestFirstAndFilters(t *testing.T) {
	b := newBed(t)
	b.refuse("1", schema.MalformedBody, "\xff")
	b.refuse("2", schema.DeviceMismatch, good)
	b.refuse("3", schema.MalformedBody, "x")
	for _, row := range []struct {
		filter Filter
		limit  int
		want   []string
	}{
		{Filter{}, 10, []string{"3", "2", "1"}},
		{Filter{}, 2, []string{"3", "2"}},
		{Filter{Reason: "malformed_body"}, 10, []string{"3", "1"}},
		{Filter{Device: "device1"}, 10, []string{"3", "2", "1"}},
		{Filter{Device: "device2"}, 10, nil},
		{Filter{Reason: "' OR '' = '"}, 10, nil},
		{Filter{Since: time.Now().Add(time.Hour)}, 10, nil},
	} {
		var got []string
		for m, err := range b.replay.From.List(t.Context(), row.filter, row.limit) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.ID.StringVal)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%+v: %v, want %v", row.filter, got, row.want)
		}
	}
}

func TestAMessageIsShownWhole(t *testing.T) {
	b := newBed(t)
	b.refuse("1", schema.MalformedBody, "\xff\x00")
	for m, err := range b.replay.From.Show(t.Context(), "1") {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.Data, []byte("\xff\x00")) {
			t.Errorf("data %q", m.Data)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back struct {
			Data       []byte
			Attributes map[string]string
		}
		if err := json.Unmarshal(text, &back); err != nil || !bytes.Equal(back.Data, m.Data) || back.Attributes[schema.AttrDeviceID] != "device1" {
			t.Errorf("%s: %v", text, err)
		}
	}
}
