package mqtt

import (
	"fmt"

	"iotbridge/device"
)

// MaxPacket is the largest packet that is taken from the gateway, without its first
// bytes: a command of 256 KiB and the longest topic it can have here.
const MaxPacket = 300 << 10

// Packet types that a gateway may send (MQTT 3.1.1, 2.2.1).
const (
	connack  = 2
	publish  = 3
	puback   = 4
	suback   = 9
	pingresp = 13
)

// gate reads along with what the gateway sends, and says how much of it may pass. It
// holds no byte back: a packet that may not come is refused at the last byte of its
// length, before anyone has made room for it. What paho would do worse with, such as
// a SUBACK of more answers than questions, ends here, too.
type gate struct {
	connected  bool // a CONNACK of 0 has passed
	subscribed bool // a SUBACK has passed

	reading part
	first   byte // of the packet: type and flags
	length  int
	shift   int // of the next length byte
	left    int // bytes of the body that are still to come
}

type part byte

const (
	firstByte part = iota
	lengthBytes
	body
)

// pass returns how many bytes of b may go on; with an error nothing may after them.
func (g *gate) pass(b []byte) (int, error) {
	for i := 0; i < len(b); {
		switch g.reading {
		case firstByte:
			g.first, g.length, g.shift, g.reading = b[i], 0, 0, lengthBytes
			i++
		case lengthBytes:
			g.length |= int(b[i]&0x7f) << g.shift
			g.shift += 7
			switch more := b[i]&0x80 != 0; {
			case more && g.shift == 4*7:
				return i, fmt.Errorf("the gateway sent a packet whose length has more than four bytes")
			case !more:
				if err := g.admit(); err != nil {
					return i, err
				}
				g.left, g.reading = g.length, body
				if g.left == 0 {
					g.reading = firstByte
				}
			}
			i++
		case body:
			n := min(g.left, len(b)-i)
			if err := g.connack(b[i : i+n]); err != nil {
				return i + n - 1, err
			}
			g.left -= n
			i += n
			if g.left == 0 {
				g.reading = firstByte
			}
		}
	}
	return len(b), nil
}

// admit judges a packet by its first byte and its length.
func (g *gate) admit() error {
	kind, flags := g.first>>4, g.first&0xf
	switch {
	case !g.connected && kind != connack:
		return fmt.Errorf("the gateway's first packet is of type %d and no CONNACK: is this port MQTT over TLS?", kind)
	case !g.connected && flags == 0 && g.length == 2:
		return nil
	case g.connected && kind == publish && flags&0x6 <= 0x2: // QoS 0 or 1; two were never asked for
		if g.length > MaxPacket {
			return fmt.Errorf("the gateway sent a PUBLISH of %d bytes, more than %d", g.length, MaxPacket)
		}
		return nil
	case g.connected && kind == puback && flags == 0 && g.length == 2,
		g.connected && kind == pingresp && flags == 0 && g.length == 0:
		return nil
	case g.connected && kind == suback && flags == 0 && g.length == 2+subscriptions && !g.subscribed:
		g.subscribed = true
		return nil
	}
	return fmt.Errorf("the gateway sent a packet that may not come: type %d, flags %#x, %d bytes", kind, flags, g.length)
}

// connack looks at the return code, the second byte of a CONNACK.
func (g *gate) connack(b []byte) error {
	if g.connected || len(b) < g.left { // the code has not come
		return nil
	}
	if code := b[len(b)-1]; code != 0 {
		return &device.Refused{Code: code}
	}
	g.connected = true
	return nil
}
