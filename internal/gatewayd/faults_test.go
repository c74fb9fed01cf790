package gatewayd_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/fault"
)

// books say what devices were told has arrived.
type books struct {
	mu    sync.Mutex
	acked map[string]bool
	full  int    // when so many are acknowledged …
	then  func() // … the device that was told so calls this
}

func (b *books) ack(body string) {
	b.mu.Lock()
	if b.acked == nil {
		b.acked = map[string]bool{}
	}
	b.acked[body] = true
	full := len(b.acked) == b.full
	b.mu.Unlock()
	if full {
		b.then()
	}
}

func (b *books) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.acked)
}

// fleet registers devices and has each deliver so many bodies, none like another.
// wait returns when all are acknowledged.
func (g *gate) fleet(devices, each int) (b *books, wait func()) {
	g.t.Helper()
	b = &books{}
	return b, g.fleetOf(devices, each, b)
}

func (g *gate) fleetOf(devices, each int, b *books) (wait func()) {
	g.t.Helper()
	var group errgroup.Group
	for i := range devices {
		d := g.device(fmt.Sprint("device", i+1))
		bodies := make([]string, each)
		for n := range bodies {
			bodies[n] = fmt.Sprintf("%s %d", d.Id, n)
		}
		group.Go(func() error { return g.deliver(d, bodies, b.ack) })
	}
	return func() {
		g.t.Helper()
		if err := group.Wait(); err != nil {
			g.t.Fatal(err)
		}
	}
}

// nothingLost compares what was acknowledged with what was published. A message may
// be there twice; it returns how many are.
func (s *system) nothingLost(b *books) (twice int) {
	s.t.Helper()
	published := map[string]int{}
	for _, m := range s.messages("temperature", b.size()) {
		body := string(m.Data)
		if device, _, _ := strings.Cut(body, " "); m.Attributes["deviceId"] != device {
			s.t.Errorf("%q was published for %s", body, m.Attributes["deviceId"])
		}
		published[body]++
	}
	for body := range maps.Keys(b.acked) {
		if published[body] == 0 {
			s.t.Errorf("%q was acknowledged and is lost", body)
		}
	}
	for _, n := range published {
		twice += n - 1
	}
	return twice
}

// B31: the gateway is killed with 1,000 messages in flight. What it had acknowledged
// is there, and the devices send the rest again.
func TestB31_KilledWith1000InFlight(t *testing.T) {
	s := start(t)
	hang := s.faults.Add(fault.Rule{Method: "Publish", From: 3, Hang: true})
	g := s.gatewayProcess()
	g.seedOnceUp()
	b, wait := g.fleet(10, 300) // of each at least 100 come after what hangs
	s.eventually("1,000 in flight", func() bool { return g.metric("gateway_inflight_messages") >= 1000 })
	before := b.size()
	g.kill()
	hang.Remove()
	g.begin()
	wait()
	if hang.Fired() == 0 {
		t.Error("nothing hung: the test shows nothing")
	}
	t.Logf("%d acknowledged before the kill, %d twice", before, s.nothingLost(b))
	if b.size() != 3000 {
		t.Errorf("%d acknowledged, want 3000", b.size())
	}
}

// seedOnceUp makes the seed's registry in a process that is starting.
func (g *gate) seedOnceUp() {
	g.t.Helper()
	g.eventually("ready", func() bool { return strings.HasPrefix(g.get("/readyz"), "ok") })
	g.seed()
}

// Pub/Sub is killed in mid-stream and comes back: nothing that was acknowledged is
// lost, and nothing was acknowledged that Pub/Sub did not have.
func TestB26_PubSubKilledInMidStream(t *testing.T) {
	t.Parallel()
	dir, address := t.TempDir(), freeAddress(t)
	begin := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), asCloud+"="+dir+" "+address)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	cloud := begin()
	end := func() {
		cloud.Process.Kill()
		cloud.Wait()
	}
	t.Cleanup(func() { end() })
	s := &system{t: t, pubsub: address}
	s.prepare()
	g := s.gateway()
	g.seed()
	killed := make(chan struct{})
	b := &books{full: 1000, then: func() { end(); close(killed) }}
	wait := g.fleetOf(10, 300, b) // each at 100 a second at the most: two seconds are left
	<-killed
	before := b.size()
	if before >= 3000 {
		t.Fatal("too late: everything was acknowledged")
	}
	cloud = begin()
	wait()
	t.Logf("%d acknowledged before the kill, %d twice", before, s.nothingLost(b))
}

// freeAddress is one that nobody else is given while it is not listened on: it lies
// below the ports that systems give out.
func freeAddress(t *testing.T) string {
	for {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20_000+rand.IntN(10_000)))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
}

// dam holds back what is published, until it is opened.
type dam struct {
	open func()
	came atomic.Int64 // messages, again those that were sent again
}

func (s *system) dam() *dam {
	held := make(chan struct{})
	d := &dam{open: sync.OnceFunc(func() { close(held) })}
	s.faults.Add(fault.Rule{Method: "Publish", Match: func(req any) bool {
		<-held
		d.came.Add(int64(len(req.(*pubsubpb.PublishRequest).Messages)))
		return false
	}})
	s.t.Cleanup(d.open)
	return d
}

// B30: a topic that may not be published to turns readiness off, in words, and holds;
// nothing is dropped, and it heals by itself.
func TestB30_PermissionRevokedAndGranted(t *testing.T) {
	s := start(t)
	denied := s.faults.Add(fault.Rule{Method: "Publish", Err: status.Error(codes.PermissionDenied, "injected")})
	g := s.gateway()
	g.seed()
	s.eventually("ready before anything is published", func() bool { return g.get("/readyz") == "ok\n" })
	b, wait := g.fleet(2, 50)
	s.eventually("readiness says it", func() bool {
		ready := g.get("/readyz")
		return strings.Contains(ready, "topics/temperature") && strings.Contains(ready, "roles/pubsub.publisher")
	})
	if n := b.size(); n != 0 {
		t.Errorf("%d acknowledged although nothing could be published", n)
	}
	denied.Remove()
	wait()
	s.nothingLost(b)
	s.eventually("ready again", func() bool { return g.get("/readyz") == "ok\n" })
}

// B32: when the gateway stops, what is in flight is still acknowledged, half-open
// connections do not keep it, and it ends within its grace.
func TestB32_StopsInOrder(t *testing.T) {
	s := start(t)
	dam := s.dam()
	g := s.gateway("--shutdown-grace=100s") // of which Pub/Sub has 20 s
	g.seed()
	for range 100 {
		c, err := net.Dial("tcp", g.mqtt)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	b, wait := g.fleet(5, 20)
	s.eventually("100 in flight", func() bool { return g.metric("gateway_inflight_messages") == 100 })
	if n := b.size(); n != 0 {
		t.Errorf("%d acknowledged before Pub/Sub had them", n)
	}
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	s.eventually("nobody new is let in", func() bool {
		c, err := net.Dial("tcp", g.mqtt)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	dam.open()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 40*time.Second { // an MQTT connection that keeps it has 50
		t.Errorf("stopped after %s", took)
	}
	wait()
	if twice := s.nothingLost(b); b.size() != 100 || twice > int(dam.came.Load())-100 {
		t.Errorf("%d acknowledged and %d twice, want 100 and none but what was published twice", b.size(), twice)
	}
}

// A device that was throttled may come back, and others at its address never wait.
func TestFailuresAreThrottledByDevice(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	d, other := g.device("device1"), g.device("device2")
	wrong := &device{d.Device, other.key}
	throttled := func() int { return g.metric(`gateway_http_refusals_total{reason="throttled"}`) }
	client := g.overHTTP() // on one connection: ten failures a second are forgiven
	defer client.CloseIdleConnections()
	s.eventually("throttled", func() bool {
		for range 50 {
			if code := g.publishBy(client, wrong); code != http.StatusUnauthorized {
				t.Fatalf("%d: refusals are not alike", code)
			}
		}
		return throttled() > 0
	})
	if n := g.metric(`gateway_http_refusals_total{reason="signature"}`); n < 600 {
		t.Errorf("throttled after %d refusals", n)
	}
	if code := g.publishHTTP(other); code != http.StatusOK {
		t.Errorf("another device: %d", code)
	}
}

// Nothing has been answered, and all is under way: were messages published one after the
// other on each connection, 30 would be. How soon 3,000 are acknowledged at 300 ms each
// is said in gateway/mqtt.
func TestPublishesArePipelined(t *testing.T) {
	s := start(t)
	dam := s.dam()
	g := s.gateway()
	g.seed()
	var sessions []*session
	for i := range 30 {
		sessions = append(sessions, g.mustConnect(g.device(fmt.Sprint("device", i+1))))
	}
	var tokens []paho.Token
	for i, c := range sessions {
		for range 100 {
			tokens = append(tokens, c.Publish(fmt.Sprintf("/devices/device%d/events/temperature", i+1), 1, false, "x"))
		}
	}
	s.eventually("3,000 in flight", func() bool { return g.metric("gateway_inflight_messages") == 3000 })
	dam.open()
	for _, token := range tokens {
		if token.Wait(); token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	if got := s.messages("temperature", 3000); len(got) > int(dam.came.Load()) {
		t.Errorf("%d published, of %d", len(got), dam.came.Load())
	}
}
