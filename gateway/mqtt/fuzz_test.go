package mqtt

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/schema"
)

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
