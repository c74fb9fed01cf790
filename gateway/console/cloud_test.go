package console_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"

	"iotbridge/gateway/console"
	"iotbridge/gateway/pubsub"
	bq "iotbridge/ingest/bigquery"
	"iotbridge/internal/mail"
	"iotbridge/internal/site"
	"iotbridge/internal/warehouse"
	"iotbridge/localcloud"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

const (
	project = "my-project"
	topic   = "projects/" + project + "/topics/temperature"
	worker  = "projects/" + project + "/subscriptions/worker"
)

// cloud is a BigQuery with a quarantine, and a Pub/Sub with one subscription.
type cloud struct {
	testing.TB
	faults    fault.Injector
	client    *bigquery.Client
	warehouse *warehouse.Warehouse
	plan      *schema.Plan
	sink      *bq.Sink // of the quarantine
	publish   pubsubpb.PublisherClient
	pull      pubsubpb.SubscriberClient
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	c := &cloud{TB: t}
	served, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true, Faults: &c.faults})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- served.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	s := &site.Site{Project: project, BigQuery: served.BigQuery()}
	if c.client, err = s.OpenBigQuery(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.client.Close() })
	endpoint := bq.Endpoint{REST: served.BigQuery(), Storage: served.BigQueryStorage()}
	c.open(endpoint)
	c.warehouse = &warehouse.Warehouse{Client: c.client, Table: tableID("temperature"), Quarantine: tableID("quarantine"), Replayer: &warehouse.Replayer{Subscription: worker, Endpoint: endpoint}}
	conn, err := pubsub.Dial(t.Context(), served.PubSub())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c.publish, c.pull = pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)
	if _, err := c.publish.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pull.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: worker, Topic: topic, AckDeadlineSeconds: 600}); err != nil {
		t.Fatal(err)
	}
	return c
}

func tableID(name string) bq.TableID {
	return bq.TableID{Project: project, Dataset: "iot", Table: name}
}

// open makes the tables.
func (c *cloud) open(endpoint bq.Endpoint) {
	c.Helper()
	catalog, err := bq.NewCatalog(c.Context(), project, endpoint)
	if err != nil {
		c.Fatal(err)
	}
	defer catalog.Close()
	for _, name := range []string{"temperature", "quarantine"} {
		table, err := schema.Builtin(name)
		if err != nil {
			c.Fatal(err)
		}
		if err := errors.Join(catalog.EnsureDataset(c.Context(), tableID(name), "US"), catalog.EnsureTable(c.Context(), tableID(name), table)); err != nil {
			c.Fatal(err)
		}
		if name == "temperature" {
			continue
		}
		if c.plan, err = table.Compile(); err != nil {
			c.Fatal(err)
		}
		if c.sink, err = bq.NewSink(tableID(name), table, bq.Settings{Endpoint: endpoint, Streams: 1}); err != nil {
			c.Fatal(err)
		}
		c.Cleanup(func() { c.sink.Close(context.Background()) })
	}
}

// wired lets a console show it.
func (c *cloud) wired(to *console.Console) {
	to.Warehouse, to.Mail = c.warehouse, mail.Open(c.pull, project)
}

// refused is a message on its way into quarantine.
type refused struct {
	id, device, claim, body string
	reason                  schema.Reason
	detail                  string
	at                      time.Time
	more                    map[string]string // attributes
}

// refuse puts messages there.
func (c *cloud) refuse(list ...refused) {
	c.Helper()
	var rows [][]byte
	for _, r := range list {
		m := &schema.Message{ID: []byte(r.id), PublishTime: time.Now().UnixMicro(), Data: []byte(r.body)}
		for key, value := range map[string]string{schema.AttrDeviceID: r.device, schema.AttrRegistryID: "plant7", schema.AttrRegistryLocation: "us-central1", schema.AttrProjectID: project} {
			m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(key), Value: []byte(value)})
		}
		for key, value := range r.more {
			m.Attributes = append(m.Attributes, schema.Attribute{Key: []byte(key), Value: []byte(value)})
		}
		if r.at.IsZero() {
			r.at = time.Now()
		}
		v := &schema.Verdict{Rejection: &schema.Rejection{Reason: r.reason, Detail: r.detail}, Claim: []byte(r.claim), Now: r.at.UnixMicro(), Subscription: worker, Worker: "w1"}
		rows = append(rows, c.plan.AppendRejected(nil, m, v))
	}
	if err := c.sink.Append(c.Context(), rows); err != nil {
		c.Fatal(err)
	}
}

// ask returns the first column of what a query finds.
func (c *cloud) ask(query string) (list []string) {
	c.Helper()
	rows, err := c.client.Query(query).Read(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	for {
		var row []bigquery.Value
		if err := rows.Next(&row); err != nil {
			return list
		}
		list = append(list, row[0].(string))
	}
}

// hostile is what anybody may write where text is taken.
var hostile = []string{
	`"><script>alert(1)</script>`, `'-alert(1)-'`, `javascript:alert(1)`, `</textarea><script>alert(1)</script>`, `</pre><script>alert(1)</script>`,
	`{{.Word}}`, "\u202Egnp.exe", "<img src=x onerror=alert(1)>", `" onmouseover="alert(1)`,
}

// bads are what a page has in it when one of these is not text.
var bads = []string{"<script>alert", "<img src=x", `href="javascript:`, `"'-alert`, `" onmouseover="alert`}
