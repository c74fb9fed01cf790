package gatewayd_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
	"iotbridge/internal/signals"
	"iotbridge/internal/site"
	"iotbridge/internal/testpostgres"
	"iotbridge/localcloud"
	"iotbridge/localcloud/fault"
	"iotbridge/schema"
)

const (
	project  = "project-1"
	parent   = "projects/project-1/locations/us-central1"
	registry = parent + "/registries/RaspberryPiDevices"
)

// What this test's binary becomes, to be killed.
const (
	asGateway  = "GATEWAYD_TEST_GATEWAY" // its arguments
	asCloud    = "GATEWAYD_TEST_CLOUD"   // directory and address
	gatewayLog = "GATEWAYD_TEST_LOG"     // a file: all is logged there, and not nothing
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asGateway) != "":
		os.Exit(gatewayProcess(strings.Fields(os.Getenv(asGateway))))
	case os.Getenv(asCloud) != "":
		os.Exit(cloudProcess(strings.Fields(os.Getenv(asCloud))))
	}
	code := m.Run()
	testpostgres.Stop()
	if err := goleak.Find(goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start")); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func parse(args []string) (s gatewayd.Settings, err error) {
	parser, err := kong.New(&s)
	if err == nil {
		_, err = parser.Parse(append([]string{"--project=" + project, "--location=us-central1", "--shutdown-grace=10s"}, args...))
	}
	return s, err
}

// gatewayProcess serves on the listeners that it was given.
func gatewayProcess(args []string) int {
	s, err := parse(args)
	if err == nil {
		s.PubSub = gatewayd.PubSubFromEnv()
		var l [5]net.Listener
		for i := range l {
			f := os.NewFile(uintptr(3+i), "listener")
			if l[i], err = net.FileListener(f); err != nil {
				break
			}
			f.Close()
		}
		s.Listeners = gatewayd.Listeners{MQTT: l[:1], HTTPS: l[1], API: l[2], GRPC: l[3], Ops: l[4]}
	}
	if err == nil {
		ctx, stop := signals.Context(context.Background())
		defer stop()
		var log *zap.Logger
		if log, err = logger(os.Getenv(gatewayLog)); err == nil {
			err = gatewayd.Run(ctx, s, log, ops.NewRegistry())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func logger(file string) (*zap.Logger, error) {
	if file == "" {
		return zap.NewNop(), nil
	}
	config := zap.NewDevelopmentConfig()
	config.Encoding, config.OutputPaths = "json", []string{file}
	return config.Build()
}

func cloudProcess(args []string) int {
	ctx, stop := signals.Context(context.Background())
	defer stop()
	cloud, err := localcloud.Open(ctx, localcloud.Options{Dir: args[0], PubSub: args[1], Ephemeral: true})
	if err == nil {
		err = cloud.Run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// system is a Pub/Sub on this machine, the files of a gateway, and what tests ask of
// both.
type system struct {
	t         *testing.T
	dir       string
	pubsub    string
	faults    *fault.Injector
	publish   pubsubpb.PublisherClient
	pull      pubsubpb.SubscriberClient
	store     string
	logs      string // file, of the next gateway in a process of its own; "": it logs nothing
	files     site.Certificate
	roots     *x509.CertPool
	keys      *schema.Keyring
	keyFile   string
	operators string
	token     string // file
}

// start opens a cloud in this process.
func start(t *testing.T) *system {
	t.Helper()
	t.Parallel()
	s := &system{t: t, faults: &fault.Injector{}}
	cloud, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true, Faults: s.faults})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- cloud.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	s.pubsub = cloud.PubSub()
	s.prepare()
	return s
}

// prepare makes the topics and the gateway's files.
func (s *system) prepare() {
	t := s.t
	t.Helper()
	s.dir = t.TempDir()
	conn, err := grpc.NewClient(s.pubsub, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s.publish, s.pull = pubsubpb.NewPublisherClient(conn), pubsubpb.NewSubscriberClient(conn)
	for _, name := range []string{"temperature", "sensordata"} {
		topic := "projects/" + project + "/topics/" + name
		if _, err := s.publish.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
		sub := &pubsubpb.Subscription{Name: subscription(name), Topic: topic, AckDeadlineSeconds: 60}
		if _, err := s.pull.CreateSubscription(t.Context(), sub); err != nil {
			t.Fatal(err)
		}
	}
	s.store = "sqlite:" + filepath.Join(s.dir, "registry.db")
	if s.files, err = site.ServerCertificate(s.dir); err != nil {
		t.Fatal(err)
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(s.read(s.files.CA))
	if s.keys, s.keyFile, err = site.Keyring(s.dir); err != nil {
		t.Fatal(err)
	}
	token := rand.Text()
	s.token, s.operators = s.write("token", token), s.write("operators", operators.Operator{Name: "alice", Role: operators.Admin}.Line(token))
}

func subscription(topic string) string { return "projects/" + project + "/subscriptions/" + topic }

func (s *system) read(file string) []byte {
	s.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func (s *system) write(name, text string) (file string) {
	s.t.Helper()
	file = filepath.Join(s.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

func (s *system) args(more ...string) []string {
	return append([]string{
		"--store=" + s.store, "--tls-cert=" + s.files.File, "--tls-key=" + s.files.Key,
		"--operators=" + s.operators, "--attestation-key=" + s.keyFile,
	}, more...)
}

// patience is how long a test waits for what must come. When it must have come is said
// where the clock is the test's own: in gateway/mqtt, gateway/pubsub, gateway/httpbridge.
const patience = 2 * time.Minute

// eventually waits until true holds.
func (s *system) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s", patience, what)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.t.Context().Done():
			s.t.Fatal("the test ended")
		}
	}
}

// messages takes at least n from the subscription, and all that is there.
func (s *system) messages(topic string, n int) (got []*pubsubpb.PubsubMessage) {
	s.t.Helper()
	end := time.Now().Add(patience)
	for idle := 0; len(got) < n || idle < 2; {
		if time.Now().After(end) {
			s.t.Fatalf("%s: %d messages, want %d", topic, len(got), n)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), patience/2)
		res, err := s.pull.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription(topic), MaxMessages: 1000, ReturnImmediately: true})
		cancel()
		if code := status.Code(err); err != nil && code != codes.DeadlineExceeded && code != codes.Unavailable {
			s.t.Fatal(err)
		}
		if len(res.GetReceivedMessages()) == 0 {
			idle++
			<-time.After(20 * time.Millisecond)
			continue
		}
		idle = 0
		var acks []string
		for _, m := range res.ReceivedMessages {
			got, acks = append(got, m.Message), append(acks, m.AckId)
		}
		if _, err := s.pull.Acknowledge(s.t.Context(), &pubsubpb.AcknowledgeRequest{Subscription: subscription(topic), AckIds: acks}); err != nil {
			s.t.Fatal(err)
		}
	}
	return got
}
