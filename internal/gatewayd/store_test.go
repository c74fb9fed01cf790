package gatewayd_test

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"iotbridge/internal/testpostgres"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// wire is a way to PostgreSQL that can be cut.
type wire struct {
	server string // its socket
	listen net.Listener

	mu      sync.Mutex
	cut     bool
	conns   map[net.Conn]bool
	running sync.WaitGroup
}

// wireTo returns the address that leads over the wire to the database.
func wireTo(t *testing.T, address string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query, dir := u.Query(), t.TempDir()
	const socket = ".s.PGSQL.5432"
	w := &wire{server: filepath.Join(query.Get("host"), socket), conns: map[net.Conn]bool{}}
	if w.listen, err = net.Listen("unix", filepath.Join(dir, socket)); err != nil {
		t.Fatal(err)
	}
	w.running.Go(w.serve)
	t.Cleanup(func() {
		w.listen.Close()
		w.set(true)
		w.running.Wait()
	})
	query.Set("host", dir)
	u.RawQuery = query.Encode()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		here, err := w.listen.Accept()
		if err != nil {
			return
		}
		there, err := net.Dial("unix", w.server)
		if err != nil || !w.add(here, there) {
			here.Close()
			continue
		}
		w.running.Go(func() { io.Copy(here, there); here.Close(); there.Close() })
		w.running.Go(func() { io.Copy(there, here); here.Close(); there.Close() })
	}
}

func (w *wire) add(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		if w.cut {
			c.Close()
		}
		w.conns[c] = true
	}
	return !w.cut
}

// set cuts the wire, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for c := range w.conns {
		c.Close()
	}
	w.conns = map[net.Conn]bool{}
}

// B33: while the store does not answer, sessions go on, a device that is not known is
// refused as our fault, readiness is off and says why; then all is as before.
func TestB33_TheStoreIsGoneAndBack(t *testing.T) {
	address := testpostgres.Database(t)
	s := start(t)
	w, over := wireTo(t, address)
	s.store = over
	g := s.gateway()
	g.seed()
	d, late := g.device("device1"), g.device("device2")
	c := g.mustConnect(d)
	if code := g.publishHTTP(d); code != http.StatusOK {
		t.Fatalf("HTTP: %d", code)
	}

	w.set(true)
	s.eventually("readiness says it", func() bool { return strings.Contains(g.get("/readyz"), "store: does not answer") })
	if err := c.send("/devices/device1/events/temperature", "while the store is gone"); err != nil {
		t.Errorf("a session suffers: %v", err)
	}
	if code := g.publishHTTP(d); code != http.StatusOK {
		t.Errorf("a device that was known a moment ago, over HTTP: %d", code)
	}
	if code := g.publishHTTP(late); code != http.StatusServiceUnavailable {
		t.Errorf("a device that is not known, over HTTP: %d, want 503", code)
	}
	if again, err := g.connect(late); err == nil || !strings.Contains(strings.ToLower(err.Error()), "unavailable") {
		t.Errorf("a device that is not known: %v", err)
		again.Disconnect(100)
	}

	w.set(false)
	s.eventually("ready again", func() bool { return g.get("/readyz") == "ok\n" })
	g.mustConnect(late)
	if err := c.send("/devices/device1/events/temperature", "and after"); err != nil {
		t.Errorf("the session suffered: %v", err)
	}
}

// B33: a device that comes back while the store does not answer is let in where it was
// last, over MQTT too; one that was blocked, or has gone elsewhere, is not. What was
// done without the store is set right when it is back.
func TestB33_DevicesComeBackWhileTheStoreIsGone(t *testing.T) {
	address := testpostgres.Database(t)
	s := start(t)
	s.store = address
	b := s.gateway()
	b.seed()
	stays, goes, moves, blocked, left := b.device("stays"), b.device("goes"), b.device("moves"), b.device("blocked"), b.device("left")
	w, over := wireTo(t, address)
	s.store = over
	a := s.gateway()
	// Another's claim that is not heard yet would let the device in: wait for each.
	first := a.mustConnect(left)
	b.mustConnect(left)
	a.closed(first)
	first = a.mustConnect(blocked)
	_, err := b.manager().UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
		Device: &iotpb.Device{Name: registry + "/devices/blocked", Blocked: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blocked"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.closed(first)
	first = a.mustConnect(stays)
	a.mustConnect(moves)
	a.mustConnect(goes)

	w.set(true)
	back := a.mustConnect(stays)
	a.closed(first)
	back.Disconnect(100)
	back = a.mustConnect(stays)
	if err := back.send("/devices/stays/events/temperature", "without the store"); err != nil {
		t.Error(err)
	}
	movesHere := a.mustConnect(moves)
	gone := a.mustConnect(goes)
	gone.Disconnect(100)
	for _, d := range []*device{left, blocked} {
		if again, err := a.connect(d); err == nil {
			t.Errorf("%s was let in", d.Id)
			again.Disconnect(100)
		}
	}
	movesThere := b.mustConnect(moves) // which a does not hear
	commands := make(chan string, 10)
	token := back.Subscribe("/devices/stays/commands/#", 1, receive(commands))
	if token.Wait(); token.Error() != nil {
		t.Fatal(token.Error())
	}

	w.set(false)
	a.closed(movesHere)
	if err := movesThere.send("/devices/moves/events/temperature", "the later one"); err != nil {
		t.Errorf("the later session suffered: %v", err)
	}
	s.eventually("a command finds the device", func() bool {
		_, err := b.manager().SendCommandToDevice(t.Context(), &iotpb.SendCommandToDeviceRequest{Name: registry + "/devices/stays", BinaryData: []byte("reboot")})
		return err == nil
	})
	s.eventually("who has gone is free", func() bool { return !s.held(address, goes) })
	if got := <-commands; got != "/devices/stays/commands reboot" {
		t.Errorf("%q", got)
	}
}

// held asks the database whether a gateway has the device.
func (s *system) held(address string, d *device) (held bool) {
	s.t.Helper()
	c, err := pgx.Connect(s.t.Context(), address)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close(s.t.Context())
	if err := c.QueryRow(s.t.Context(), `SELECT run <> 0 FROM claims WHERE device = $1`, int64(d.NumId)).Scan(&held); err != nil {
		s.t.Fatal(err)
	}
	return held
}
