package gatewayd_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	iot "cloud.google.com/go/iot/apiv1"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
	"iotbridge/internal/site"
)

// gate is a gateway that runs: in this process, or in one of its own.
type gate struct {
	*system
	mqtt, https, api, grpc, ops string
	process                     *exec.Cmd
	stop                        func() error // in this process
}

// listeners are of loopback; in the order of a process's files.
func (s *system) listeners() (l [5]net.Listener) {
	s.t.Helper()
	for i := range l {
		var err error
		if l[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			s.t.Fatal(err)
		}
	}
	return l
}

func (s *system) at(l [5]net.Listener) *gate {
	var at [5]string
	for i, one := range l {
		at[i] = one.Addr().String()
	}
	return &gate{system: s, mqtt: at[0], https: at[1], api: at[2], grpc: at[3], ops: at[4]}
}

// gateway runs one in this process.
func (s *system) gateway(args ...string) *gate {
	s.t.Helper()
	settings, err := parse(s.args(args...))
	if err != nil {
		s.t.Fatal(err)
	}
	l := s.listeners()
	settings.PubSub = s.pubsub
	settings.Listeners = gatewayd.Listeners{MQTT: l[:1], HTTPS: l[1], API: l[2], GRPC: l[3], Ops: l[4]}
	g := s.at(l)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() {
		ran <- gatewayd.Run(ctx, settings, zaptest.NewLogger(s.t, zaptest.Level(zap.WarnLevel)), ops.NewRegistry())
	}()
	g.stop = sync.OnceValue(func() error {
		cancel()
		return <-ran
	})
	s.t.Cleanup(func() {
		if err := g.stop(); err != nil {
			s.t.Error(err)
		}
	})
	return g
}

// gatewayProcess runs one in a process of its own. Its listeners are the test's, so
// that they outlive it: another can be started in its place.
func (s *system) gatewayProcess(args ...string) *gate {
	s.t.Helper()
	l := s.listeners()
	g := s.at(l)
	var files []*os.File
	for _, one := range l {
		f, err := one.(*net.TCPListener).File()
		if err != nil {
			s.t.Fatal(err)
		}
		one.Close()
		files = append(files, f)
	}
	s.t.Cleanup(func() {
		g.kill()
		for _, f := range files {
			f.Close()
		}
	})
	g.process = &exec.Cmd{
		Path: os.Args[0], ExtraFiles: files, Stderr: os.Stderr,
		Env: append(os.Environ(), asGateway+"="+strings.Join(s.args(args...), " "), "PUBSUB_EMULATOR_HOST="+s.pubsub, gatewayLog+"="+s.logs),
	}
	g.begin()
	return g
}

func (g *gate) begin() {
	g.t.Helper()
	again := *g.process
	g.process = &exec.Cmd{Path: again.Path, ExtraFiles: again.ExtraFiles, Stderr: again.Stderr, Env: again.Env}
	if err := g.process.Start(); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) kill() {
	g.process.Process.Kill()
	g.process.Wait()
}

// manager is the stock client of the gateway's Device Manager.
func (g *gate) manager() *iot.DeviceManagerClient {
	g.t.Helper()
	c, err := (&site.Site{API: "http://" + g.api, AdminToken: g.token}).OpenDeviceManager(g.t.Context())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { c.Close() })
	return c
}

// seed makes the seed's registry.
func (g *gate) seed() {
	g.t.Helper()
	topic := "projects/" + project + "/topics/"
	_, err := g.manager().CreateDeviceRegistry(g.t.Context(), &iotpb.CreateDeviceRegistryRequest{
		Parent: parent, DeviceRegistry: &iotpb.DeviceRegistry{Id: "RaspberryPiDevices", EventNotificationConfigs: []*iotpb.EventNotificationConfig{
			{SubfolderMatches: "temperature", PubsubTopicName: topic + "temperature"}, {PubsubTopicName: topic + "sensordata"},
		}},
	})
	if err != nil {
		g.t.Fatal(err)
	}
}

// metric is one number of /metrics.
func (g *gate) metric(name string) int {
	g.t.Helper()
	for line := range strings.Lines(g.get("/metrics")) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				g.t.Fatal(err)
			}
			return int(n)
		}
	}
	return -1
}

// get asks the operations listener.
func (g *gate) get(path string) string {
	g.t.Helper()
	res, err := http.Get("http://" + g.ops + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(text)
}
