package mqtt

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	paho "github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/mochi-mqtt/server/v2/packets"
)

// 256 MiB, and five bytes of length.
var (
	giant    = []byte{0xff, 0xff, 0xff, 0x7f}
	tooLong  = []byte{0x80, 0x80, 0x80, 0x80, 0x00}
	mine     = "/devices/device1/"
	oversize = make([]byte, MaxPacket-len(mine+"config")-1)
)

func TestD4_AHostileGatewayBeforeItsConnack(t *testing.T) {
	for name, b := range map[string][]byte{
		"giant CONNACK":         append([]byte{0x20}, giant...),
		"CONNACK of length 3":   {0x20, 3, 0, 0, 0},
		"CONNACK of length 1":   {0x20, 1, 0},
		"empty CONNACK":         {0x20, 0},
		"CONNACK with flags":    {0x2f, 2, 0, 0},
		"five bytes of length":  append([]byte{0x20}, tooLong...),
		"PUBLISH first":         fromUs(mine+"config", nil),
		"giant PUBLISH first":   append([]byte{0x30}, giant...),
		"type 0":                {0, 0},
		"type 15":               {0xf0, 0},
		"CONNECT":               {0x10, 0},
		"text":                  []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"the end, and no bytes": nil,
	} {
		u := uplinkTo(t, func(p *peer) {
			p.want(packets.Connect)
			p.send(b)
			if b != nil {
				p.drain()
			}
		})
		if s, err := u.Connect(t.Context(), nobody{}); err == nil || s != nil || errors.Is(err, errTooSlow) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}

func TestD4_AHostileGatewayInASession(t *testing.T) {
	for name, b := range map[string][]byte{
		"giant PUBLISH":                append([]byte{0x30}, giant...),
		"PUBLISH over 300 KiB":         fromUs(mine+"config", oversize),
		"PUBLISH at QoS 2":             pack(0x34, text(mine+"config"), number(1)),
		"PUBLISH at QoS 3":             pack(0x36, text(mine+"config"), number(1)),
		"PUBLISH without a topic":      {0x30, 0},
		"PUBLISH, half a length":       {0x30, 1, 0},
		"PUBLISH, topic past its end":  {0x30, 4, 0xff, 0xff, 'a', 'b'},
		"PUBLISH, no id":               {0x32, 3, 0, 1, 'a'},
		"second CONNACK":               ackConnect(0),
		"second SUBACK":                pack(0x90, number(1), []byte{0, 0}),
		"SUBACK of 100 codes":          pack(0x90, number(1), make([]byte, 100)), // paho panics
		"giant SUBACK":                 append([]byte{0x90}, giant...),
		"UNSUBACK":                     pack(0xb0, number(1)),
		"PUBREC":                       pack(0x50, number(1)),
		"PUBREL":                       pack(0x62, number(1)),
		"PUBCOMP":                      pack(0x70, number(1)), // paho takes it for a PUBACK
		"PUBACK of length 4":           {0x40, 4, 0, 1, 0, 0},
		"PUBACK of length 1":           {0x40, 1, 0},
		"PINGRESP with a body":         {0xd0, 1, 0},
		"PINGREQ":                      {0xc0, 0},
		"DISCONNECT":                   {0xe0, 0},
		"DISCONNECT of 5, redirecting": {0xe0, 5, 0x9c, 3, 0x1c, 0, 0},
		"AUTH":                         {0xf0, 0},
		"five bytes of length":         append([]byte{0xd0}, tooLong...),
		"CONNECT":                      {0x10, 0},
		"SUBSCRIBE":                    pack(0x82, number(1), text("#"), []byte{0}),
	} {
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			p.want(packets.Publish)
			p.send(b)
			p.drain()
		})
		in := make(letters, 10)
		s, err := u.open(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		answer := sent(t, s, "events", "1")
		within(t, name+": the end", s.Ended())
		if err := within(t, name+": the answer", answer); err == nil {
			t.Errorf("%s: the message was confirmed", name)
		}
		s.Close()
		if len(in) != 0 {
			t.Errorf("%s: the core got %.100q", name, <-in)
		}
	}
}

// What a length announces is not made room for.
func TestD4_NoRoomIsMadeForAGiant(t *testing.T) {
	u := uplinkTo(t, func(p *peer) {
		p.welcome()
		p.want(packets.Publish)
		p.send([]byte{0x30}, giant)
		p.drain()
	})
	var before, after runtime.MemStats
	s := connected(t, u)
	runtime.ReadMemStats(&before)
	sent(t, s, "events", "1")
	within(t, "the end", s.Ended())
	s.Close()
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 32<<20 {
		t.Errorf("%d bytes were allocated", grown)
	}
	if !strings.Contains(s.Err().Error(), "a PUBLISH of 268435455 bytes") {
		t.Error(s.Err())
	}
}

// Too large for the core, or for somebody else: dropped, and acknowledged, or it would
// come for ever. The session goes on.
func TestD4_WhatIsTooLargeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := strings.Repeat("f", maxSubfolder)
		u := uplinkTo(t, func(p *peer) {
			p.welcome()
			for i, b := range [][]byte{
				fromUs1(mine+"config", 1, make([]byte, MaxConfig+1)),
				fromUs1("/devices/device2/config", 2, []byte("{}")),
				fromUs1(mine+"config/x", 3, []byte("{}")),
				fromUs1(mine+"commands", 4, make([]byte, MaxCommand+1)),
				fromUs1(mine+"commands/"+folder+"f", 5, nil),
				fromUs1(mine+"commandsx", 6, nil),
				fromUs1(mine+"commands/\xff", 7, nil),
				fromUs1("", 8, nil),
				fromUs1(mine+"config", 9, bytes.Repeat([]byte("c"), MaxConfig)),
				fromUs1(mine+"commands/"+folder, 10, bytes.Repeat([]byte("d"), MaxCommand)),
			} {
				p.send(b)
				if ack, ok := p.want(packets.Puback); ok && int(ack.PacketID) != i+1 {
					t.Errorf("PUBACK %d, want %d", ack.PacketID, i+1)
				}
			}
			p.confirm()
		})
		in := make(letters, 20)
		s, err := u.open(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got := within(t, "the config", in); got != "config "+strings.Repeat("c", MaxConfig) {
			t.Errorf("%.100q of %d bytes", got, len(got))
		}
		if got := within(t, "the command", in); got != "command "+folder+" "+strings.Repeat("d", MaxCommand) {
			t.Errorf("%.300q of %d bytes", got, len(got))
		}
		if err := within(t, "a message after that", sent(t, s, "events", "1")); err != nil {
			t.Error(err)
		}
		if len(in) != 0 {
			t.Errorf("the core got %.100q, too", <-in)
		}
	})
}

// An older configuration does not come after a newer one, nor more than was sent.
func TestConfigsComeInTheirOrder(t *testing.T) {
	const count = 500
	u := uplinkTo(t, func(p *peer) {
		p.welcome()
		go func() {
			for i := range count {
				p.send(fromUs1(mine+"config", uint16(i+1), number(uint16(i))))
			}
		}()
		p.confirm()
	})
	in := make(letters, count)
	s, err := u.open(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range count {
		if got, want := within(t, "a config", in), "config "+string(number(uint16(i))); got != want {
			t.Fatalf("config %d: %x, want %x", i, got, want)
		}
	}
}

// Whatever comes and however it is cut, what passes the gate is small, and paho reads
// it without a panic.
func FuzzGate(f *testing.F) {
	opening := append(ackConnect(0), pack(0x90, number(1), []byte{1, 0})...)
	f.Add(append(opening, fromUs1(mine+"config", 1, []byte("{}"))...), byte(3))
	f.Add(append(opening, ackPublish(2)...), byte(1))
	f.Add(append(opening, 0x30, 0xff, 0xff, 0xff, 0x7f), byte(7))
	f.Add(ackConnect(5), byte(0))
	f.Add(append([]byte{0x20}, tooLong...), byte(2))
	f.Fuzz(func(t *testing.T, b []byte, cut byte) {
		var whole, cutUp gate
		n, err := whole.pass(b)
		if n > len(b) || (n == len(b)) != (err == nil) {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
		passed := 0
		for rest := b; len(rest) > 0; {
			part := rest[:min(int(cut)+1, len(rest))]
			m, err2 := cutUp.pass(part)
			passed += m
			if err2 != nil {
				break
			}
			rest = rest[len(part):]
		}
		if passed != n {
			t.Fatalf("%d bytes pass at once, %d in pieces of %d", n, passed, int(cut)+1)
		}
		in := bytes.NewReader(b[:n])
		for {
			p, err := paho.ReadPacket(in)
			if err != nil {
				break
			}
			if s, ok := p.(*paho.SubackPacket); ok && len(s.ReturnCodes) > subscriptions {
				t.Fatalf("a SUBACK of %d codes", len(s.ReturnCodes))
			}
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			t.Fatal(err)
		}
	})
}
