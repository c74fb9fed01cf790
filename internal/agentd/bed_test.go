package agentd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/alecthomas/kong"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"iotbridge/gateway/operators"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
	"iotbridge/internal/signals"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
)

const (
	project  = "project-1"
	parent   = "projects/project-1/locations/us-central1"
	registry = parent + "/registries/RaspberryPiDevices"
	patience = time.Minute // for what must happen; a machine may be busy
)

// What this test's binary becomes.
const (
	asAgent = "AGENTD_TEST_AGENT" // its arguments, a line each
	asProbe = "AGENTD_TEST_PROBE" // says how protected it is
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asAgent) != "":
		os.Exit(agentProcess(strings.Split(os.Getenv(asAgent), "\n")))
	case os.Getenv(asProbe) != "":
		protect(zap.NewNop())
		fmt.Println(protection())
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// agentProcess is cmd/iotbridge-agent's main.
func agentProcess(args []string) int {
	os.Unsetenv(asAgent)
	ctx, stop := signals.Context(context.Background())
	defer stop()
	chosen, err := Parse(args)
	if err == nil {
		chosen.BindTo(ctx, (*context.Context)(nil))
		chosen.BindTo(os.Stdout, (*io.Writer)(nil))
		err = chosen.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// system is a gateway and a Pub/Sub on this machine.
type system struct {
	t      *testing.T
	files  site.Certificate
	port   int
	https  string // host:port for devices
	api    string // the operators' URL
	admin  *iot.DeviceManagerClient
	pull   pubsubpb.SubscriberClient
	pulled []*pubsubpb.PubsubMessage
}

const subscription = "projects/" + project + "/subscriptions/temperature"

func start(t *testing.T, args ...string) *system {
	t.Helper()
	cloud, err := localcloud.Open(t.Context(), localcloud.Options{Dir: t.TempDir(), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	runs(t, cloud.Run)
	conn, err := grpc.NewClient(cloud.PubSub(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &system{t: t, pull: pubsubpb.NewSubscriberClient(conn)}
	topic := "projects/" + project + "/topics/temperature"
	if _, err := pubsubpb.NewPublisherClient(conn).CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}, grpc.WaitForReady(true)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pull.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic, AckDeadlineSeconds: 60}); err != nil {
		t.Fatal(err)
	}
	s.gateway(cloud.PubSub(), args...)
	_, err = s.admin.CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: parent, DeviceRegistry: &iotpb.DeviceRegistry{
		Id: "RaspberryPiDevices", EventNotificationConfigs: []*iotpb.EventNotificationConfig{{PubsubTopicName: topic}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// gateway runs the real one, over TLS.
func (s *system) gateway(pubsub string, args ...string) {
	t := s.t
	t.Helper()
	dir := t.TempDir()
	var err error
	if s.files, err = site.ServerCertificate(dir); err != nil {
		t.Fatal(err)
	}
	_, keys, err := site.Keyring(dir)
	if err != nil {
		t.Fatal(err)
	}
	token, list := filepath.Join(dir, "token"), filepath.Join(dir, "operators")
	write(t, token, "a-token-of-the-tests", 0o600)
	write(t, list, operators.Operator{Name: "alice", Role: operators.Admin}.Line("a-token-of-the-tests"), 0o600)
	var settings gatewayd.Settings
	parser, err := kong.New(&settings)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(append([]string{
		"--project=" + project, "--location=us-central1", "--shutdown-grace=10s", "--store=sqlite:" + filepath.Join(dir, "registry.db"),
		"--tls-cert=" + s.files.File, "--tls-key=" + s.files.Key, "--operators=" + list, "--attestation-key=" + keys,
	}, args...)); err != nil {
		t.Fatal(err)
	}
	settings.PubSub = pubsub
	var l [5]net.Listener
	for i := range l {
		if l[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	settings.Listeners = gatewayd.Listeners{MQTT: l[:1], HTTPS: l[1], API: l[2], GRPC: l[3], Ops: l[4]}
	s.port = l[0].Addr().(*net.TCPAddr).Port
	settings.ProvisionMQTT = fmt.Sprintf("localhost:%d", s.port)
	s.https, s.api = l[1].Addr().String(), "http://"+l[2].Addr().String()
	runs(t, func(ctx context.Context) error { return gatewayd.Run(ctx, settings, zap.NewNop(), ops.NewRegistry()) })
	if s.admin, err = (&site.Site{API: s.api, AdminToken: token}).OpenDeviceManager(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.admin.Close() })
}

// runs ends what it starts, with the test or before.
func runs(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx)
		close(ended)
	}()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// pi is a device of its own: a folder with its key, its roots and its configuration.
type pi struct {
	*system
	id, dir string
}

// device makes a key as its owner does, and registers it as an operator does.
func (s *system) device(id string, settings ...string) *pi {
	s.t.Helper()
	p := &pi{s, id, s.t.TempDir()}
	if _, err := keygen(s.t, "--key-path="+p.dir); err != nil {
		s.t.Fatal(err)
	}
	_, err := s.admin.CreateDevice(s.t.Context(), &iotpb.CreateDeviceRequest{Parent: registry, Device: &iotpb.Device{
		Id: id, Credentials: []*iotpb.DeviceCredential{{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{
			Format: iotpb.PublicKeyFormat_ES256_PEM, Key: string(read(s.t, filepath.Join(p.dir, "ec_public.pem"))),
		}}}},
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	write(s.t, filepath.Join(p.dir, "roots.pem"), string(read(s.t, s.files.CA)), 0o644)
	p.configure(append([]string{fmt.Sprintf("PORT = %d", s.port)}, settings...)...)
	return p
}

func (p *pi) file() string { return filepath.Join(p.dir, "gcp_iot_config.txt") }

func (p *pi) spool() string { return filepath.Join(p.dir, "iotbridge-spool") }

func (p *pi) configure(more ...string) {
	p.t.Helper()
	write(p.t, p.file(), fmt.Sprintf(`[SETTINGS]
KEY_PATH = %s
PRIVATE_KEY      = ec_private.pem
GOOGLE_ROOT_CERT = roots.pem
REGISTRY_ID = RaspberryPiDevices
DEVICE_ID   = %s
REGION      = us-central1
PROJECT_ID  = %s
HOST = localhost
%s
`, p.dir, p.id, project, strings.Join(more, "\n")), 0o644)
}

// settings are what the file says.
func (p *pi) settings() Settings {
	p.t.Helper()
	c := new(Commands)
	if _, err := c.parse([]string{"run", "-c", p.file()}, io.Discard); err != nil {
		p.t.Fatal(err)
	}
	c.Start.config = c.Config
	return c.Start.Settings
}

// run runs the agent in this process.
func (p *pi) run() (stop func()) {
	p.t.Helper()
	settings := p.settings()
	log := zaptest.NewLogger(p.t, zaptest.Level(zap.ErrorLevel))
	return runs(p.t, func(ctx context.Context) error { return Run(ctx, settings, log, nil) })
}

// process is an agent in a process of its own.
type process struct {
	*exec.Cmd
	out, err bytes.Buffer
}

func (p *pi) process(args ...string) *process {
	p.t.Helper()
	child := &process{Cmd: exec.Command(os.Args[0])}
	child.Env = append(os.Environ(), asAgent+"="+strings.Join(append(args, "-c", p.file()), "\n"))
	child.Stdout, child.Stderr = &child.out, &child.err
	if err := child.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { child.Process.Kill() })
	return child
}

// state waits until the agent's own is as wanted.
func (p *pi) state(what string, wanted func(*state) bool) *state {
	p.t.Helper()
	var last *state
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		s, err := readState(p.spool(), newClock())
		if err != nil {
			p.t.Fatal(err)
		}
		if s != nil && wanted(s) {
			return s
		}
		last = s
	}
	p.t.Fatalf("%s: never %s, but %+v", p.id, what, last)
	return nil
}

// reading is what arrived of a reading.
type reading struct {
	Device string `json:"-"` // trusted
	Claim  string `json:"device_id"`
	ID     string `json:"reading_id"`
	Probe  string
	C      *float64 `json:"temperature"`
	At     float64  `json:"timestamp"`
	Gap    any
}

// arrived takes what has come into the topic by now.
func (s *system) arrived() (all []reading) {
	s.t.Helper()
	for range 3 { // an answer may be empty before all is taken
		ctx, cancel := context.WithTimeout(s.t.Context(), patience)
		res, err := s.pull.Pull(ctx, &pubsubpb.PullRequest{Subscription: subscription, MaxMessages: 1000, ReturnImmediately: true})
		cancel()
		if err != nil && status.Code(err) != codes.Unavailable {
			s.t.Fatal(err)
		}
		var acks []string
		for _, m := range res.GetReceivedMessages() {
			s.pulled, acks = append(s.pulled, m.Message), append(acks, m.AckId)
		}
		if len(acks) > 0 {
			if _, err := s.pull.Acknowledge(s.t.Context(), &pubsubpb.AcknowledgeRequest{Subscription: subscription, AckIds: acks}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	for _, m := range s.pulled {
		r := reading{Device: m.Attributes["deviceId"]}
		if err := json.Unmarshal(m.Data, &r); err != nil {
			s.t.Fatalf("%s: %v", m.Data, err)
		}
		all = append(all, r)
	}
	return all
}

// waitFor takes what arrives until it is as wanted.
func (s *system) waitFor(what string, wanted func([]reading) bool) []reading {
	s.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		if all := s.arrived(); wanted(all) {
			return all
		}
	}
	s.t.Fatalf("never %s: %d messages", what, len(s.pulled))
	return nil
}

// of counts a device's readings.
func of(device string, all []reading) (n int) {
	for _, r := range all {
		if r.Device == device {
			n++
		}
	}
	return n
}
