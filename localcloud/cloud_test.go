package localcloud_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/goleak"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"iotbridge/localcloud"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The stock clients start this one for the life of the process.
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// run runs a cloud until stop is called, which returns Run's error.
func run(t *testing.T, dir string) (c *localcloud.Cloud, stop func() error) {
	t.Helper()
	c, err := localcloud.Open(t.Context(), localcloud.Options{Dir: dir, Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ran
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return c, stop
}

func clients(t *testing.T, c *localcloud.Cloud) (*pubsub.Client, *bigquery.Client) {
	t.Helper()
	messages, err := pubsub.NewClient(t.Context(), "demo", option.WithEndpoint(c.PubSub()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := bigquery.NewClient(t.Context(), "demo", option.WithEndpoint("http://"+c.BigQuery()+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		messages.Close()
		rows.Close()
	})
	return messages, rows
}

func TestBothAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	c, stop := run(t, dir)
	messages, rows := clients(t, c)
	topic, err := messages.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: "projects/demo/topics/temperature"})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Dataset("iot").Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c, _ = run(t, dir)
	messages, rows = clients(t, c)
	if _, err := messages.TopicAdminClient.GetTopic(t.Context(), &pubsubpb.GetTopicRequest{Topic: topic.Name}); err != nil {
		t.Error(err)
	}
	if _, err := rows.Dataset("iot").Metadata(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnOpenPullDoesNotKeepItFromEnding(t *testing.T) {
	c, stop := run(t, t.TempDir())
	messages, _ := clients(t, c)
	if _, err := messages.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: "projects/demo/topics/temperature"}); err != nil {
		t.Fatal(err)
	}
	const name = "projects/demo/subscriptions/view"
	if _, err := messages.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: name, Topic: "projects/demo/topics/temperature"}); err != nil {
		t.Fatal(err)
	}
	stream, err := messages.SubscriptionAdminClient.StreamingPull(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pubsubpb.StreamingPullRequest{Subscription: name, StreamAckDeadlineSeconds: 60}); err != nil {
		t.Fatal(err)
	}
	// It is open, and each message wakes it.
	for range 300 {
		if _, err := messages.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{
			Topic: "projects/demo/topics/temperature", Messages: []*pubsubpb.PubsubMessage{{Data: []byte("x")}},
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the end took %v", took)
	}
	if _, err := stream.Recv(); err == nil {
		t.Error("the stream goes on")
	}
}

func TestASecondOneIsKeptOut(t *testing.T) {
	dir := t.TempDir()
	run(t, dir)
	_, err := localcloud.Open(t.Context(), localcloud.Options{Dir: dir, Ephemeral: true})
	if !errors.Is(err, localcloud.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want ErrLocked and the directory", err)
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir, addr := t.TempDir(), taken.Addr().String()
	for flag, o := range map[string]localcloud.Options{
		"--pubsub":           {PubSub: addr},
		"--bigquery":         {BigQuery: addr},
		"--bigquery-storage": {BigQueryStorage: addr},
	} {
		o.Dir, o.Ephemeral = dir, true
		_, err := localcloud.Open(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), addr+" is in use") || !strings.Contains(err.Error(), flag+",") {
			t.Errorf("error %v, want address and %s", err, flag)
		}
	}
	run(t, dir) // what was taken was given back
}
