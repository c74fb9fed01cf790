package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/schema"
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

// badPacket is one that must end the session, or a CONNECT that must not be taken.
type badPacket struct {
	name  string
	bytes []byte
}

// badPackets are all that the specification forbids, and IoT Core did, built from
// packets that are well-formed.
func badPackets() (bad []badPacket) {
	add := func(name string, b []byte) { bad = append(bad, badPacket{name, b}) }
	topic, filter := "/devices/device1/events", "/devices/device1/config"
	good := map[string][]byte{
		"publish": publish(topic, 1, ""), "subscribe": subscribe(1, filter, 1), "unsubscribe": pack(0xa2, []byte{0, 1}, text(filter)),
		"puback": []byte(puback(1)), "pingreq": {0xc0, 0}, "disconnect": {0xe0, 0},
	}
	// Types and flags, with bodies of each short length.
	for head := range 256 {
		kind, flags := head>>4, head&15
		for size := range 6 {
			allowed := kind == 3 && flags&6 != 6 || (kind == 8 || kind == 10) && flags == 2 || (kind == 12 || kind == 14) && flags == 0 && size == 0 || kind == 4 && flags == 0 && size == 2
			if !allowed {
				add(fmt.Sprintf("head %02x, %d bytes", head, size), pack(byte(head), bytes.Repeat([]byte{1}, size)))
			}
		}
	}
	for name, b := range good {
		body := b[2:]
		// A body cut short, with the length that says so. QoS 1 topics end before the id.
		for n := range body {
			if name != "pingreq" && name != "disconnect" {
				add(fmt.Sprintf("%s cut to %d", name, n), pack(b[0], body[:n]))
			}
		}
		if name != "publish" {
			for _, more := range []string{"\x00", "\x00\x00", "\x00\x01", "\xff\xff\xff"} {
				add(fmt.Sprintf("%s and %x", name, more), pack(b[0], body, []byte(more)))
			}
		}
		// Each length that a remaining length cannot have.
		for _, length := range []string{"\xff\xff\xff\xff", "\x80\x80\x80\x80\x00", "\x80\x80\x80\x80\x80\x01", "\xff\xff\xff\x7f"} {
			add(fmt.Sprintf("%s of length %x", name, length), append([]byte{b[0]}, length...))
		}
	}
	// Texts that are none, wherever a text is.
	for _, s := range []string{"\x00", "\x80", "\xff", "\xfe", "\xc0\x80", "\xc1\xbf", "\xc0\xaf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xc2", "\xe2\x82", "\xf0\x9f\x98"} {
		for at := range len(topic) + 1 {
			broken := topic[:at] + s + topic[at:]
			add(fmt.Sprintf("publish to %q", broken), publish(broken, 1, "x"))
			broken = filter[:min(at, len(filter))] + s + filter[min(at, len(filter)):]
			add(fmt.Sprintf("subscribe to %q", broken), subscribe(1, broken, 0))
			add(fmt.Sprintf("unsubscribe from %q", broken), pack(0xa2, []byte{0, 1}, text(broken)))
		}
	}
	// Ids and levels that are none.
	add("publish with id 0", pack(0x32, text(topic), []byte{0, 0}, []byte("x")))
	add("subscribe with id 0", pack(0x82, []byte{0, 0}, text(filter), []byte{1}))
	add("unsubscribe with id 0", pack(0xa2, []byte{0, 0}, text(filter)))
	add("puback of id 0", []byte(puback(0)))
	add("subscribe to nothing", pack(0x82, []byte{0, 1}))
	add("unsubscribe from nothing", pack(0xa2, []byte{0, 1}))
	for qos := 3; qos < 256; qos++ {
		add(fmt.Sprintf("subscribe with QoS %d", qos), subscribe(1, filter, byte(qos)))
	}
	for _, flags := range []byte{0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3c, 0x3d, 0x3e, 0x3f} {
		add(fmt.Sprintf("publish %02x", flags), pack(flags, text(topic), []byte{0, 1}, []byte("x")))
	}
	return bad
}

func TestM14_MalformedPackets(t *testing.T) {
	bad := badPackets()
	for _, b := range bad {
		why, out, d := play(t, "device1", b.bytes)
		if why != malformed && why != badTopic && why != tooLarge || len(out) > 0 || len(d.taken)+len(d.states) > 0 {
			t.Errorf("%s: ended for %q, answered %x, took %v", b.name, why, out, d.taken)
		}
	}
	n := len(bad) + badConnects(t)
	if n < 1500 {
		t.Errorf("only %d cases", n)
	}
	t.Logf("%d packets", n)
}

// badConnects tries CONNECTs that must not be taken and returns how many.
func badConnects(t *testing.T) (n int) {
	id := clientID("device1")
	refuse := func(name string, b []byte) {
		n++
		in := newReader(tape{bytes.NewReader(b)})
		p, err := in.next(context.Background(), maxConnect, nil)
		if err == nil {
			_, err = parseConnect(p)
		}
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	good := connectPacket(id, "token", 60)
	body := good[len(good)-(2+4+1+1+2+2+len(id)+2+6+2+5):]
	for i := range body {
		refuse(fmt.Sprintf("cut to %d", i), pack(0x10, body[:i]))
	}
	for head := range 256 {
		if head != 0x10 {
			refuse(fmt.Sprintf("first packet %02x", head), pack(byte(head), body))
		}
	}
	for flags := range 256 {
		if flags != 0xc2 && flags != 0xc0 {
			b := bytes.Clone(body)
			b[7] = byte(flags)
			refuse(fmt.Sprintf("flags %02x", flags), pack(0x10, b))
		}
	}
	for level := range 256 {
		if level != 4 {
			b := bytes.Clone(body)
			b[6] = byte(level)
			refuse(fmt.Sprintf("level %d", level), pack(0x10, b))
		}
	}
	for at := range 6 {
		for _, c := range []byte{0, 'X', 0xff} {
			b := bytes.Clone(body)
			b[at] ^= c
			if c != 0 {
				refuse(fmt.Sprintf("byte %d of the protocol", at), pack(0x10, b))
			}
		}
	}
	refuse("8,193 bytes", connectPacket(id, strings.Repeat("x", 8<<10), 60))
	return n
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

func FuzzConnect(f *testing.F) {
	f.Add(connectPacket(clientID("device1"), "token", 60))
	f.Add(pack(0x10, []byte("\x00\x06MQIsdp\x03\xc2\x00\x3c"), text("x"), text(""), text("y")))
	f.Add(pack(0x10, []byte("\x00\x04MQTT\x04\xce\x00\x3c"), text("x"), text("t"), text("m"), text(""), text("y")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := newReader(tape{bytes.NewReader(b)}).next(context.Background(), maxConnect, nil)
		if err != nil {
			return
		}
		c, err := parseConnect(p)
		if err != nil {
			return
		}
		// What was taken says all that there is: written again it is the same.
		again := append([]byte("\x00\x04MQTT\x04"), p.body[7], byte(c.Keepalive>>8), byte(c.Keepalive))
		again = append(again, text(c.ClientIdentifier)...)
		if c.UsernameFlag {
			again = append(again, text(string(c.Username))...)
		}
		if c.PasswordFlag {
			again = append(again, text(string(c.Password))...)
		}
		if !bytes.Equal(again, p.body) || c.WillFlag {
			t.Errorf("%x was taken as %+v", p.body, c)
		}
	})
}

// No packets make a device speak for another, hear of it, or be acknowledged for what
// was not taken.
func FuzzPacket(f *testing.F) {
	f.Add([]byte(puback(1)), false)
	f.Add(publish("/devices/device1/events/a", 1, "x"), false)
	f.Add(append(publish("/devices/device2/attach", 1, "{}"), publish("/devices/device2/state", 2, "x")...), true)
	f.Add(append(subscribe(1, "/devices/gateway1/errors", 0), publish("/devices/device3/events", 2, "x")...), true)
	f.Add(append(subscribe(1, "/devices/device1/config", 1), pack(0xa2, []byte{0, 2}, text("/devices/device1/config"))...), false)
	for i, b := range badPackets() {
		if i%50 == 0 {
			f.Add(b.bytes, false)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, isGateway bool) {
		if len(b) > 4096 {
			return
		}
		device := "device1"
		if isGateway {
			device = "gateway1"
		}
		_, out, d := play(t, device, b)
		for _, e := range append(d.taken, d.states...) {
			if e.device != device && (e.device != "device2" || e.via != "gateway1") {
				t.Errorf("%s published as %+v", device, e)
			}
		}
		heard := bytes.ReplaceAll(out, []byte("config of "+device), nil)
		if isGateway {
			heard = bytes.ReplaceAll(heard, []byte("config of device2"), nil) // it may be attached
		}
		if bytes.Contains(heard, []byte("config of")) {
			t.Errorf("%s heard %q", device, heard)
		}
	})
}

func FuzzTopic(f *testing.F) {
	for _, s := range []string{"/devices/device1/events", "/devices/device1/events/a/b", "/devices/+/config", "/devices/device1/commands/#", "/devices//state", ""} {
		f.Add(s)
	}
	model := regexp.MustCompile(`^/devices/([A-Za-z][-A-Za-z0-9._~%]{2,254}|[1-9][0-9]{15})/(events(/[-A-Za-z0-9._~%]+)*|commands(/[-A-Za-z0-9._~%]+)*|state|config|attach|detach|errors)$`)
	f.Fuzz(func(t *testing.T, s string) {
		topic, ok := schema.ParseTopic(s)
		if ok && (topic.String() != s || !model.MatchString(s)) {
			t.Errorf("%q was taken as %+v", s, topic)
		}
		filter, ok := schema.ParseFilter(s)
		if ok && (strings.ContainsAny(filter.String(), "+#") || strings.Contains(strings.TrimSuffix(s, "#"), "#") || strings.Contains(s, "+")) {
			t.Errorf("filter %q was taken as %+v", s, filter)
		}
	})
}

func FuzzClientID(f *testing.F) {
	for _, s := range []string{clientID("device1"), clientID("1000000000000001"), "#", "projects/p/locations/l/registries/reg/devices/../x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, ok := gateway.ParseDeviceKey(s)
		if ok && (k.String() != s || len(s) > 1024 || strings.ContainsAny(s, "+#\x00 \n") || !schema.ValidID(k.Registry)) {
			t.Errorf("%q was taken as %v", s, k)
		}
	})
}
