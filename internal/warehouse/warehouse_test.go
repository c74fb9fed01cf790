package warehouse_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"go.uber.org/goleak"
	"google.golang.org/api/option"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	"iotbridge/ingest"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/site"
	"iotbridge/internal/warehouse"
	"iotbridge/localcloud"
	"iotbridge/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The stock clients start these: one for ever, one for twenty minutes a stream.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreAnyFunction("cloud.google.com/go/bigquery/storage/managedwriter.(*connection).getStream.func1"))
}

const subscription = "projects/demo/subscriptions/temperature-ingest"

// bed is a local BigQuery with a worker's gate before it.
type bed struct {
	*testing.T
	*warehouse.Warehouse
	site  *site.Site
	sinks map[string]*bq.Sink
	plans map[string]*schema.Plan
}

func newBed(t *testing.T) *bed {
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
	b := &bed{T: t, site: &site.Site{Project: "demo", BigQuery: c.BigQuery(), BigQueryStorage: c.BigQueryStorage()}, sinks: map[string]*bq.Sink{}, plans: map[string]*schema.Plan{}}
	client, err := b.site.OpenBigQuery(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	endpoint := bq.Endpoint{REST: b.site.BigQuery, Storage: b.site.BigQueryStorage}
	for _, name := range []string{"temperature", "quarantine"} {
		b.open(name, endpoint)
	}
	b.Warehouse = &warehouse.Warehouse{Client: client, Table: id("temperature"), Quarantine: id("quarantine"), Replayer: &warehouse.Replayer{Subscription: subscription, Endpoint: endpoint}}
	return b
}

var plant7 = gateway.RegistryKey{Project: "demo", Location: "us-central1", Registry: "plant7"}

// strangers are registries that are not plant7, each by one of its names.
var strangers = []gateway.RegistryKey{
	{Project: "demo", Location: "us-central1", Registry: "plant8"},
	{Project: "demo", Location: "europe-west1", Registry: "plant7"},
	{Project: "demo2", Location: "us-central1", Registry: "plant7"},
}

func id(table string) bq.TableID { return bq.TableID{Project: "demo", Dataset: "iot", Table: table} }

func (b *bed) open(name string, endpoint bq.Endpoint) {
	b.Helper()
	table, err := schema.Builtin(name)
	if err != nil {
		b.Fatal(err)
	}
	if b.plans[name], err = table.Compile(); err != nil {
		b.Fatal(err)
	}
	catalog, err := bq.NewCatalog(b.Context(), "demo", endpoint)
	if err != nil {
		b.Fatal(err)
	}
	defer catalog.Close()
	if err := errors.Join(catalog.EnsureDataset(b.Context(), id(name), "US"), catalog.EnsureTable(b.Context(), id(name), table)); err != nil {
		b.Fatal(err)
	}
	sink, err := bq.NewSink(id(name), table, bq.Settings{Endpoint: endpoint, Streams: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sink.Close(context.Background()) })
	b.sinks[name] = sink
}

// deliver is one message as the worker settles it.
func (b *bed) deliver(messageID, device, body string, waited time.Duration) {
	b.Helper()
	now := time.Now()
	m := &schema.Message{ID: []byte(messageID), PublishTime: now.Add(-waited).UnixMicro(), Data: []byte(body), Attributes: []schema.Attribute{
		{Key: []byte(schema.AttrDeviceID), Value: []byte(device)},
		{Key: []byte(schema.AttrRegistryID), Value: []byte(plant7.Registry)},
		{Key: []byte(schema.AttrRegistryLocation), Value: []byte(plant7.Location)},
		{Key: []byte(schema.AttrProjectID), Value: []byte(plant7.Project)},
	}}
	row, err := (&ingest.Gate{Plan: b.plans["temperature"]}).Append(nil, m, now.UnixMicro())
	to := "temperature"
	if rejected, ok := errors.AsType[*schema.Rejection](err); ok {
		to = "quarantine"
		row = b.plans[to].AppendRejected(nil, m, &schema.Verdict{Rejection: rejected, Claim: []byte("boiler1"), Now: now.UnixMicro(), Subscription: subscription, Worker: "w1"})
	} else if err != nil {
		b.Fatal(err)
	}
	if err := b.sinks[to].Append(b.Context(), [][]byte{row}); err != nil {
		b.Fatal(err)
	}
}

func body(device string, at time.Time, temperature float64) string {
	return fmt.Sprintf(`{"device_id":%q,"timestamp":%d,"temperature":%g}`, device, at.Unix(), temperature)
}

func TestWhatIsStoredIsTold(t *testing.T) {
	b := newBed(t)
	now := time.Now()
	for i := range 10 {
		b.deliver(fmt.Sprint(i), "boiler1", body("boiler1", now.Add(time.Duration(i-20)*time.Second), 20+float64(i)), 250*time.Millisecond)
	}
	b.deliver("late", "boiler2", body("boiler2", now, 1), 30*time.Second)
	b.deliver("lie", "boiler2", body("boiler1", now, 1), 0)
	b.deliver("bad", "boiler2", "{", 0)

	readings, err := b.Readings(t.Context(), gateway.DeviceKey{RegistryKey: plant7, Device: "boiler1"}, now.Add(-time.Hour), 3)
	if err != nil || len(readings) != 3 || readings[0].Value != 27 || readings[2].Value != 29 || !readings[0].At.Before(readings[2].At) {
		t.Errorf("%+v, %v", readings, err)
	}
	for _, key := range strangers {
		if list, err := b.Readings(t.Context(), gateway.DeviceKey{RegistryKey: key, Device: "boiler1"}, now.Add(-time.Hour), 3); err != nil || len(list) != 0 {
			t.Errorf("%s has a device of that name: %+v, %v", key, list, err)
		}
	}
	flow, err := b.Flow(t.Context(), now.Add(-10*time.Minute))
	if err != nil || len(flow) < 10 {
		t.Fatalf("%+v, %v", flow, err)
	}
	var all console.Minute
	for _, m := range flow {
		all.Stored += m.Stored
		all.AgeP50, all.AgeP99 = max(all.AgeP50, m.AgeP50), max(all.AgeP99, m.AgeP99)
		for reason, n := range m.Quarantined {
			if reason != "device_mismatch" && reason != "malformed_body" || n != 1 {
				t.Errorf("%s: %d", reason, n)
			}
		}
	}
	if all.Stored != 11 || all.AgeP99 < 30*time.Second || all.AgeP50 < 200*time.Millisecond {
		t.Errorf("%+v", all)
	}
}

// What the pages of a device ask every two seconds is asked of BigQuery every Every; who
// waits for another's question does so no longer than it wants to.
func TestBigQueryIsAskedOnceInAWhile(t *testing.T) {
	key := gateway.DeviceKey{RegistryKey: plant7, Device: "boiler1"}
	for name, call := range map[string]func(context.Context, *warehouse.Warehouse) error{
		"Readings": func(ctx context.Context, w *warehouse.Warehouse) error {
			_, err := w.Readings(ctx, key, time.Now().Add(-time.Hour), 3)
			return err
		},
		"Flow": func(ctx context.Context, w *warehouse.Warehouse) error {
			_, err := w.Flow(ctx, time.Now().Add(-time.Hour))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			asked, answers := make(chan string, 100), make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.URL.Path
				<-answers
				http.Error(w, `{"error":{"code":400,"message":"no"}}`, http.StatusBadRequest)
			}))
			defer server.Close()
			client, err := bigquery.NewClient(t.Context(), "demo", option.WithEndpoint(server.URL), option.WithoutAuthentication())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			w := &warehouse.Warehouse{Client: client, Table: id("temperature"), Quarantine: id("quarantine"), Every: time.Hour}
			first := make(chan error, 1)
			go func() { first <- call(t.Context(), w) }()
			<-asked
			gone, leave := context.WithCancel(t.Context())
			leave()
			if err := call(gone, w); !errors.Is(err, context.Canceled) {
				t.Errorf("who has gone waits for another's answer: %v", err)
			}
			close(answers)
			if err := <-first; err == nil {
				t.Error("no error")
			}
			server.Close() // what comes now is not answered
			if err := call(t.Context(), w); err == nil || !strings.Contains(err.Error(), "400") {
				t.Errorf("asked again: %v", err)
			}
		})
	}
}

func TestTheQuarantineIsShown(t *testing.T) {
	b := newBed(t)
	b.deliver("lie", "boiler2", body("boiler1", time.Now(), 1), 0)
	b.deliver("bad", "boiler3", "{\xff", 0)
	since := time.Now().Add(-time.Hour)
	list := func(q console.RefusalQuery) (ids string) {
		t.Helper()
		q.Since, q.Most = since, 10
		got, err := b.Refusals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			ids += r.MessageID + " "
		}
		return ids
	}
	for want, q := range map[string]console.RefusalQuery{
		"bad lie ": {}, "lie ": {Reason: "device_mismatch"}, "bad lie  ": {Device: "boiler1"}, "bad ": {Device: "boiler3"}, "": {Before: since.Add(time.Minute)},
	} {
		if got := list(q); got != want && got+" " != want {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	if got := list(console.RefusalQuery{Registry: plant7, Device: "boiler1"}); got != "bad lie " {
		t.Errorf("of its registry: %q", got)
	}
	for _, key := range strangers {
		if got := list(console.RefusalQuery{Registry: key, Device: "boiler1"}); got != "" {
			t.Errorf("%s has a device of that name: %q", key, got)
		}
	}
	one, err := b.Refusal(t.Context(), "lie")
	if err != nil || len(one) != 1 || one[0].DeviceID != "boiler2" || one[0].ClaimedID != "boiler1" || one[0].Attributes["deviceId"] != "boiler2" || one[0].Worker != "w1" {
		t.Errorf("%+v, %v", one, err)
	}
	if one, err = b.Refusal(t.Context(), "bad"); err != nil || string(one[0].Data) != "{\xff" {
		t.Errorf("%+v, %v", one, err)
	}
}

// What was refused stays refused; what is good today is stored, once.
func TestAReplayIsTheCommandLines(t *testing.T) {
	b := newBed(t)
	b.deliver("lie", "boiler2", body("boiler1", time.Now(), 1), 0)
	m := &schema.Message{ID: []byte("good"), PublishTime: time.Now().UnixMicro(), Data: []byte(body("boiler2", time.Now(), 21)), Attributes: []schema.Attribute{
		{Key: []byte(schema.AttrDeviceID), Value: []byte("boiler2")}, {Key: []byte(schema.AttrRegistryID), Value: []byte("plant7")},
	}}
	row := b.plans["quarantine"].AppendRejected(nil, m, &schema.Verdict{Rejection: schema.NewRejection(schema.ValueOutOfRange, ""), Now: time.Now().UnixMicro(), Subscription: subscription})
	if err := b.sinks["quarantine"].Append(t.Context(), [][]byte{row}); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-time.Hour)
	for _, want := range []map[string]int{{"stored": 1, "device_mismatch": 1}, {"already_stored": 1, "device_mismatch": 1}} {
		got, err := b.Replay(t.Context(), "ada", console.RefusalQuery{Since: since})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	b.Replayer = nil
	if _, err := b.Replay(t.Context(), "ada", console.RefusalQuery{Since: since}); err == nil {
		t.Error("replayed without a subscription")
	}
}
