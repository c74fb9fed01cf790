package ingestd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"iotbridge/internal/ingestd"
	"iotbridge/internal/signals"
	"iotbridge/localcloud"
	"iotbridge/localcloud/fault"
)

const (
	project      = "p"
	topic        = "projects/p/topics/temperature"
	subscription = "projects/p/subscriptions/temperature"
	table        = "p.iot.temperature"
	quarantine   = "p.iot.quarantine"
)

// asWorker makes this test's binary a worker process, to be killed.
const asWorker = "INGESTD_TEST_WORKER"

func TestMain(m *testing.M) {
	if args := os.Getenv(asWorker); args != "" {
		os.Exit(workerProcess(strings.Fields(args)))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		// The library sleeps 20 s after a connection that ended, and then ends by itself.
		goleak.IgnoreAnyFunction("cloud.google.com/go/bigquery/storage/managedwriter.(*connection).getStream.func1"))
}

func workerProcess(args []string) int {
	s, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	s.Endpoints = ingestd.EndpointsFromEnv()
	ctx, stop := signals.Context(context.Background())
	defer stop()
	if err := ingestd.Run(ctx, s, quiet(), registry()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func parse(args []string) (s ingestd.Settings, err error) {
	parser, err := kong.New(&s)
	if err == nil {
		_, err = parser.Parse(append([]string{
			"--subscription=" + subscription, "--table=" + table,
			"--quarantine-table=" + quarantine, "--ops=127.0.0.1:0", "--shutdown-grace=10s", "--lease=10s",
		}, args...))
	}
	return s, err
}

// system is a cloud on this machine and what tests ask of it.
type system struct {
	t        *testing.T
	cloud    *localcloud.Cloud
	faults   *fault.Injector
	publish  pubsubpb.PublisherClient
	admin    pubsubpb.SubscriberClient
	bigquery *bigquery.Client
	next     int
}

func start(t *testing.T) *system {
	t.Helper()
	t.Parallel()
	s := &system{t: t, faults: &fault.Injector{}}
	var err error
	if s.cloud, err = localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true, Faults: s.faults}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.cloud.Run(ctx) }()
	conn, err := grpc.NewClient(s.cloud.PubSub(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	s.publish, s.admin = pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)
	s.bigquery, err = bigquery.NewClient(t.Context(), project, option.WithEndpoint("http://"+s.cloud.BigQuery()+"/bigquery/v2/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.bigquery.Close()
		conn.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return s
}

// subscribe makes topic and subscription.
func (s *system) subscribe() {
	s.t.Helper()
	if _, err := s.publish.CreateTopic(s.t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		s.t.Fatal(err)
	}
	_, err := s.admin.CreateSubscription(s.t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic, AckDeadlineSeconds: 10})
	if err != nil {
		s.t.Fatal(err)
	}
}

func reading(body string, attributes ...string) *pubsubpb.PubsubMessage {
	m := &pubsubpb.PubsubMessage{Data: []byte(body), Attributes: map[string]string{
		"deviceId": "device1", "deviceNumId": "2577321808646966", "deviceRegistryId": "reg",
		"deviceRegistryLocation": "us-central1", "projectId": "p", "subFolder": "temperature",
	}}
	for i := 0; i+1 < len(attributes); i += 2 {
		m.Attributes[attributes[i]] = attributes[i+1]
	}
	return m
}

// honest publishes n good readings, no two alike.
func (s *system) honest(n int) {
	s.t.Helper()
	var batch []*pubsubpb.PubsubMessage
	for range n {
		s.next++
		batch = append(batch, reading(fmt.Sprintf(`{"device_id":"device1","timestamp":%d,"temperature":21.4,"reading_id":"r-%d"}`, 1700000000+s.next, s.next)))
		if len(batch) == 500 {
			s.send(batch...)
			batch = nil
		}
	}
	s.send(batch...)
}

func (s *system) send(messages ...*pubsubpb.PubsubMessage) (ids []string) {
	s.t.Helper()
	if len(messages) == 0 {
		return nil
	}
	res, err := s.publish.Publish(s.t.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: messages})
	if err != nil {
		s.t.Fatal(err)
	}
	return res.MessageIds
}

// worker runs one in this process until it is stopped.
type worker struct {
	stop func() error
}

func (s *system) worker(args ...string) worker {
	s.t.Helper()
	settings, err := parse(args)
	if err != nil {
		s.t.Fatal(err)
	}
	settings.Endpoints = ingestd.Endpoints{PubSub: s.cloud.PubSub(), BigQuery: s.cloud.BigQuery(), BigQueryStorage: s.cloud.BigQueryStorage()}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- ingestd.Run(ctx, settings, zaptest.NewLogger(s.t), registry()) }()
	var once bool
	w := worker{stop: func() error {
		if once {
			return nil
		}
		once = true
		cancel()
		return <-ran
	}}
	s.t.Cleanup(func() {
		if err := w.stop(); err != nil {
			s.t.Error(err)
		}
	})
	return w
}

// process runs a worker in a process of its own.
func (s *system) process(env []string, args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asWorker+"="+strings.Join(append([]string{"--pull-streams=1"}, args...), " "),
		"PUBSUB_EMULATOR_HOST="+s.cloud.PubSub(), "BIGQUERY_EMULATOR_HOST="+s.cloud.BigQuery(), "BIGQUERY_STORAGE_EMULATOR_HOST="+s.cloud.BigQueryStorage())
	cmd.Env = append(cmd.Env, env...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// number runs a query of one row and one column; nil when the table is not there yet.
func (s *system) number(sql string) int {
	s.t.Helper()
	it, err := s.bigquery.Query(sql).Read(s.t.Context())
	if err != nil {
		if strings.Contains(err.Error(), "ot found") {
			return 0
		}
		s.t.Fatal(sql, err)
	}
	var row []bigquery.Value
	if err := it.Next(&row); errors.Is(err, iterator.Done) {
		return 0
	} else if err != nil {
		s.t.Fatal(sql, err)
	}
	return int(row[0].(int64))
}

// eventually waits until the query answers want, and asks less and less often.
func (s *system) eventually(want int, sql string) {
	s.t.Helper()
	got := -1
	for wait, end := 20*time.Millisecond, time.Now().Add(3*time.Minute); time.Now().Before(end); wait = min(wait*3/2, time.Second) {
		if got = s.number(sql); got == want {
			return
		}
		select {
		case <-time.After(wait):
		case <-s.t.Context().Done():
			s.t.Fatal("the test ended")
		}
	}
	s.t.Errorf("after three minutes: %d, want %d: %s", got, want, sql)
}

const (
	stored    = "SELECT COUNT(*) FROM `p.iot.temperature`"
	distinct  = "SELECT COUNT(DISTINCT message_id) FROM `p.iot.temperature`"
	views     = "SELECT COUNT(*) FROM `p.iot.temperature_dedup`"
	liesCount = "SELECT COUNT(*) FROM `p.iot.quarantine`"
)

// exact waits until every honest message is in the table and nothing in quarantine.
// It returns how many rows are duplicates.
func (s *system) exact() int {
	s.t.Helper()
	s.eventually(s.next, distinct)
	if n := s.number(liesCount); n != 0 {
		s.t.Errorf("%d good messages in quarantine", n)
	}
	if n := s.number(views); n != s.next {
		s.t.Errorf("the dedup view shows %d readings, want %d", n, s.next)
	}
	return s.number(stored) - s.next
}
