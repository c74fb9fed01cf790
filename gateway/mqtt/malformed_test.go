package mqtt

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
)

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
