package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
)

// tape is a connection that plays bytes and takes none.
type tape struct{ *bytes.Reader }

func (tape) Write(b []byte) (int, error)      { return len(b), nil }
func (tape) Close() error                     { return nil }
func (tape) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (tape) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (tape) SetDeadline(time.Time) error      { return nil }
func (tape) SetReadDeadline(time.Time) error  { return nil }
func (tape) SetWriteDeadline(time.Time) error { return nil }

// desk is a session without a network: it reads a tape, and what it would send is kept.
type desk struct {
	*house
	*session
	ctx context.Context
}

var deskMetrics = NewMetrics(nil)

func newDesk(t testing.TB, device string, input []byte) *desk {
	t.Helper()
	h := newHouse()
	h.bound["gateway1/device2"] = true
	s := &Server{Bridge: h, Mailbox: h, Bus: h, Instance: "a", TLS: serverTLS(), Metrics: deskMetrics}
	if err := s.defaults(); err != nil {
		t.Fatal(err)
	}
	d := h.devices[device]
	in := newReader(tape{bytes.NewReader(input)})
	in.first = false
	c, ctx := s.newSession(context.Background(), tls.Server(in.conn, s.tls), in,
		&gateway.Admission{Device: d, Registry: h.registry, Expires: time.Now().Add(time.Hour)}, 1, time.Minute)
	c.writing = true // nobody writes
	s.add(ctx, c.own, 0)
	t.Cleanup(func() { c.expiry.Stop(); c.cancel(); s.running.Wait() })
	return &desk{h, c, ctx}
}

// play returns why the session ended, lost if it was for the end of the tape alone,
// and what it sent.
func play(t testing.TB, device string, input []byte) (gateway.Reason, []byte, *desk) {
	t.Helper()
	d := newDesk(t, device, input)
	for number, name := range d.numbers {
		d.house.configs[number] = gateway.Config{Version: 1, Data: []byte("config of " + name)}
	}
	why := d.read(d.ctx)
	d.server.running.Wait() // configs that it asked for
	d.end(why)
	d.session.mu.Lock()
	defer d.session.mu.Unlock()
	return d.reason, d.out, d
}

// Topics of a grammar wider than ours, against a model that is a regular expression.
func TestM1_Topics(t *testing.T) {
	model := regexp.MustCompile(`^/devices/(device1|1000000000000001)/(events(/[-A-Za-z0-9._~%]+)*|state)$`)
	roots := []string{"/devices/", "devices/", "//devices/", "/Devices/", "/devices//", "/", "", "$SYS/", "$share/g//devices/", "$queue//devices/", "$aws/devices/", "\ufeff/devices/", "/devices\\", "/devices/./"}
	ids := []string{"device1", "1000000000000001", "device2", "1000000000000002", "Device1", "device1 ", "../device2", "device1/../device2", "+", "#", "", "deviceZ", "device1%00", "dеvice1", "01000000000000001", "gateway1"}
	kinds := []string{"/events", "/state", "/config", "/commands", "/errors", "/attach", "/detach", "/event", "/EVENTS", "", "/", "//events", "/events\u202e"}
	tails := []string{"", "/", "/a", "/a/b", "//a", "/a/", "/../x", "/./x", "/+", "/#", "/%2f", "/a b", "/deviceId", "/" + strings.Repeat("a", 256), "/" + strings.Repeat("a", 257), "/ä", "/\ufffd"}
	n := 0
	for _, root := range roots {
		for _, id := range ids {
			for _, kind := range kinds {
				for _, tail := range tails {
					topic := root + id + kind + tail
					n++
					_, folder, _ := strings.Cut(topic, "/events/")
					want := model.MatchString(topic) && len(folder) <= 256
					why, out, d := play(t, "device1", publish(topic, 1, "x"))
					took := len(d.taken)+len(d.states) == 1
					if took != want || want != (string(out) == puback(1)) || !want && why != badTopic {
						t.Fatalf("%q: taken %v, ended for %s, answered %x", topic, took, why, out)
					}
					for _, e := range append(d.taken, d.states...) {
						if e.device != "device1" || e.via != "" {
							t.Fatalf("%q: published as %+v", topic, e)
						}
					}
				}
			}
		}
	}
	if n < 10_000 {
		t.Errorf("only %d topics", n)
	}
}

func TestM2_TopicsThatAreNoText(t *testing.T) {
	for _, topic := range []string{
		"", "\x00", "/devices/device1/events\x00", "/devices/device1/events/\xff", "/devices/device1/events/\xc0\xaf", "/devices/device1/events/\xed\xa0\x80",
		"/devices/device1/events/\xf4\x90\x80\x80", "/devices/device1/events/\uffff", "/devices/device1/events/\u202e", "/devices/device1/events/\ufeff",
		"/devices/+/events", "/devices/device1/#", "/devices/device1/events/+", strings.Repeat("/", 65535), "/devices/device1/events/" + strings.Repeat("a", 65535-24),
	} {
		if why, out, d := play(t, "device1", publish(topic, 1, "x")); why != malformed && why != badTopic || len(out) > 0 || len(d.taken) > 0 {
			t.Errorf("%.40q: ended for %s, answered %x", topic, why, out)
		}
	}
}

func TestM3_BrokersTopics(t *testing.T) {
	for _, topic := range []string{"$SYS/broker/version", "$share/g/devices/device1/events", "$queue/devices/device1/events", "$aws/certificates/create/json"} {
		if why, _, _ := play(t, "device1", publish(topic, 1, "x")); why != badTopic {
			t.Errorf("%s: ended for %s", topic, why)
		}
		if _, out, _ := play(t, "device1", subscribe(1, topic, 1)); string(out) != "\x90\x03\x00\x01\x80" {
			t.Errorf("%s: answered %x", topic, out)
		}
	}
}

func TestM4_Subscriptions(t *testing.T) {
	for device, granted := range map[string][]string{
		"device1":  {"/devices/device1/config", "/devices/1000000000000001/config", "/devices/device1/commands/#", "/devices/1000000000000001/commands/#"},
		"gateway1": {"/devices/gateway1/config", "/devices/gateway1/commands/#", "/devices/gateway1/errors", "/devices/2000000000000001/errors"},
	} {
		for _, filter := range append([]string{
			"#", "+", "/#", "+/+", "/devices/#", "/devices/+/config", "/devices/+/commands/#", "/devices/x/+/../", "/devices/device2/config",
			"/devices/1000000000000002/commands/#", "/devices/device1/commands", "/devices/device1/commands/a", "/devices/device1/commands/a/#", "/devices/device1/commands/+",
			"/devices/device1/config/#", "/devices/device1/events", "/devices/device1/state", "/devices/device1/errors", "/devices/device1/#", "/devices/gateway2/errors",
			"devices/device1/config", "/devices/device1/config/", "//devices/device1/config", "$share/g//devices/device1/config",
		}, granted...) {
			for qos := range byte(3) {
				_, out, _ := play(t, device, subscribe(9, filter, qos))
				want := byte(notGranted)
				for _, g := range granted {
					if g == filter {
						want = min(qos, 1)
						if strings.HasSuffix(filter, "/errors") {
							want = 0
						}
					}
				}
				if !bytes.HasPrefix(out, []byte{0x90, 3, 0, 9, want}) {
					t.Errorf("%s, %s, QoS %d: answered %x, want %x", device, filter, qos, out, want)
				}
			}
		}
	}
}

func TestM4_ManyFilters(t *testing.T) {
	p := pack(0x82, []byte{0, 3}, text("#"), []byte{1}, text("/devices/device1/commands/#"), []byte{2}, text("/devices/device2/config"), []byte{0})
	if _, out, _ := play(t, "device1", p); string(out) != "\x90\x05\x00\x03\x80\x01\x80" {
		t.Errorf("answered %x", out)
	}
}

// Whatever else the packet carries, these are the attributes' sources.
func TestM17_NothingInAMessageSaysWhoSpeaks(t *testing.T) {
	_, _, d := play(t, "device1", publish("/devices/device1/events/deviceId", 1, `{"deviceId":"device2","gatewayId":"gateway1"}`))
	if len(d.taken) != 1 || d.taken[0].device != "device1" || d.taken[0].via != "" || d.taken[0].folder != "deviceId" {
		t.Errorf("published as %+v", d.taken)
	}
}

func TestAClientIDsGrammarIsTheBridges(t *testing.T) {
	if k, ok := gateway.ParseDeviceKey(clientID("device1")); !ok || k.Device != "device1" || k.RegistryKey != registryKey {
		t.Errorf("%v, %v", k, ok)
	}
}

func TestReaderTakesPacketsApart(t *testing.T) {
	big := strings.Repeat("x", 100_000)
	all := append(publish("/devices/device1/events", 1, "a"), publish("/devices/device1/events", 2, big)...)
	all = append(all, publish("/devices/device1/events", 3, "c")...)
	for _, chunk := range []int{1, 2, 3, 7, 1000, 1 << 20} {
		in := newReader(sliced{tape{bytes.NewReader(all)}, chunk})
		in.first = false
		for _, want := range []string{"a", big, "c"} {
			p, err := in.next(context.Background(), maxPublish, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.body[2+len("/devices/device1/events")+2:]); got != want {
				t.Fatalf("chunks of %d: got %.20q", chunk, got)
			}
		}
		if _, err := in.next(context.Background(), maxPublish, nil); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

// sliced plays at most so many bytes at a time.
type sliced struct {
	tape
	most int
}

func (s sliced) Read(b []byte) (int, error) { return s.tape.Read(b[:min(len(b), s.most)]) }
