package gatewayd_test

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

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
}

func (b *books) ack(body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.acked == nil {
		b.acked = map[string]bool{}
	}
	b.acked[body] = true
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
	var group errgroup.Group
	for i := range devices {
		d := g.device(fmt.Sprint("device", i+1))
		bodies := make([]string, each)
		for n := range bodies {
			bodies[n] = fmt.Sprintf("%s %d", d.Id, n)
		}
		group.Go(func() error { return g.deliver(d, bodies, b.ack) })
	}
	return b, func() {
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
	s.eventually("1,000 in flight", 20*time.Second, func() bool { return g.metric("gateway_inflight_messages") >= 1000 })
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
	g.eventually("ready", 20*time.Second, func() bool { return strings.HasPrefix(g.get("/readyz"), "ok") })
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
	b, wait := g.fleet(10, 300) // each at 100 a second at the most
	s.eventually("half is acknowledged", 30*time.Second, func() bool { return b.size() >= 1000 })
	end()
	before := b.size()
	if before >= 3000 {
		t.Fatal("too late: everything was acknowledged")
	}
	cloud = begin()
	wait()
	t.Logf("%d acknowledged before the kill, %d twice", before, s.nothingLost(b))
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// B30: a topic that may not be published to turns readiness off, in words, and holds;
// nothing is dropped, and it heals by itself.
func TestB30_PermissionRevokedAndGranted(t *testing.T) {
	s := start(t)
	denied := s.faults.Add(fault.Rule{Method: "Publish", Err: status.Error(codes.PermissionDenied, "injected")})
	g := s.gateway()
	g.seed()
	if ready := g.get("/readyz"); ready != "ok\n" {
		t.Fatalf("not ready before anything was published: %s", ready)
	}
	b, wait := g.fleet(2, 50)
	s.eventually("readiness says it", 10*time.Second, func() bool {
		ready := g.get("/readyz")
		return strings.Contains(ready, "topics/temperature") && strings.Contains(ready, "roles/pubsub.publisher")
	})
	if n := b.size(); n != 0 {
		t.Errorf("%d acknowledged although nothing could be published", n)
	}
	denied.Remove()
	wait()
	s.nothingLost(b)
	s.eventually("ready again", 15*time.Second, func() bool { return g.get("/readyz") == "ok\n" })
}

// B32: when the gateway stops, what is in flight is still acknowledged, half-open
// connections do not keep it, and it ends within its grace.
func TestB32_StopsInOrder(t *testing.T) {
	s := start(t)
	slow := s.faults.Add(fault.Rule{Method: "Publish", Delay: 2 * time.Second})
	g := s.gateway()
	g.seed()
	for range 100 {
		c, err := net.Dial("tcp", g.mqtt)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	b, wait := g.fleet(5, 20)
	s.eventually("100 in flight", 10*time.Second, func() bool { return g.metric("gateway_inflight_messages") == 100 })
	began := time.Now()
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopped after %s", took)
	}
	if slow.Fired() == 0 {
		t.Error("the fault did not strike: the test shows nothing")
	}
	wait()
	if twice := s.nothingLost(b); b.size() != 100 || twice != 0 {
		t.Errorf("%d acknowledged and %d twice, want 100 and 0", b.size(), twice)
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
	for n := 0; n < 3000 && throttled() == 0; n += 50 {
		for range 50 {
			if code := g.publishHTTP(wrong); code != http.StatusUnauthorized {
				t.Fatalf("%d: refusals are not alike", code)
			}
		}
	}
	if throttled() == 0 {
		t.Error("never throttled")
	}
	if n := g.metric(`gateway_http_refusals_total{reason="signature"}`); n < 600 {
		t.Errorf("throttled after %d refusals", n)
	}
	if code := g.publishHTTP(other); code != http.StatusOK {
		t.Errorf("another device: %d", code)
	}
}

// 3,000 messages at 300 ms each, all at once: were they published one after the other
// on each connection, they would take half a minute.
func TestPublishesArePipelined(t *testing.T) {
	s := start(t)
	slow := s.faults.Add(fault.Rule{Method: "Publish", Delay: 300 * time.Millisecond})
	g := s.gateway()
	g.seed()
	var sessions []*session
	for i := range 30 {
		sessions = append(sessions, g.mustConnect(g.device(fmt.Sprint("device", i+1))))
	}
	began := time.Now()
	var tokens []paho.Token
	for i, c := range sessions {
		for range 100 {
			tokens = append(tokens, c.Publish(fmt.Sprintf("/devices/device%d/events/temperature", i+1), 1, false, "x"))
		}
	}
	for _, token := range tokens {
		if token.Wait(); token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	took := time.Since(began)
	t.Logf("3,000 messages in %s", took)
	if took > 10*time.Second || slow.Fired() == 0 {
		t.Errorf("3,000 messages took %s, and the fault struck %d times", took, slow.Fired())
	}
	if got := s.messages("temperature", 3000); len(got) != 3000 {
		t.Errorf("%d published", len(got))
	}
}
