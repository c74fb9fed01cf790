package mqtt

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

func TestConnack(t *testing.T) {
	s := open(t, nil)
	id := clientID("device1")
	for name, test := range map[string]struct {
		id, token string
		want      byte
	}{
		"known":             {id, "device1's", accepted},
		"by number":         {clientID("1000000000000001"), "device1's", accepted},
		"wrong key":         {id, "device2's", notAuthorized},
		"no token":          {id, "", notAuthorized},
		"unknown device":    {clientID("device77"), "device1's", notAuthorized},
		"unknown number":    {clientID("1000000000000077"), "device1's", notAuthorized},
		"unknown registry":  {strings.Replace(id, "Raspberry", "Blueberry", 1), "device1's", notAuthorized},
		"unknown project":   {strings.Replace(id, "project-1", "project-2", 1), "device1's", notAuthorized},
		"unknown location":  {strings.Replace(id, "us-", "eu-", 1), "device1's", notAuthorized},
		"token of 5,000":    {id, strings.Repeat("x", 5000), notAuthorized},
		"no client id":      {"", "device1's", badClientID},
		"a name only":       {"device1", "device1's", badClientID},
		"trailing slash":    {id + "/", "device1's", badClientID},
		"too short a name":  {clientID("ab"), "device1's", badClientID},
		"goog":              {clientID("google1"), "device1's", badClientID},
		"15 digits":         {clientID("100000000000001"), "device1's", badClientID},
		"above 2^53":        {clientID("9007199254740992"), "device1's", badClientID},
		"of another spell":  {strings.Replace(id, "projects", "Projects", 1), "device1's", badClientID},
		"empty project":     {strings.Replace(id, "project-1", "", 1), "device1's", badClientID},
		"two levels":        {strings.Replace(id, "device1", "device1/x", 1), "device1's", badClientID},
		"M6 hash":           {"#", "x", badClientID},
		"M6 plus":           {"+", "x", badClientID},
		"M6 path":           {"a/b", "x", badClientID},
		"M6 dots":           {"..", "x", badClientID},
		"M6 device dots":    {clientID("../device1"), "x", badClientID},
		"M6 device plus":    {clientID("dev+ice"), "x", badClientID},
		"M6 right to left":  {clientID("dev\u202eice"), "x", badClientID},
		"M6 fullwidth":      {clientID("ｄevice1"), "x", badClientID},
		"M6 7,000 bytes":    {clientID(strings.Repeat("d", 7000)), "x", badClientID},
		"M6 case of device": {clientID("Device1"), "device1's", notAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send(connectPacket(test.id, test.token, 60))
			c.expect("\x20\x02\x00" + string(test.want))
			if test.want != accepted {
				c.closed()
			}
		})
	}
	if got := testutil.ToFloat64(s.Metrics.Refusals.WithLabelValues(string(gateway.UnknownDevice))); got != 3 {
		t.Errorf("%v unknown devices counted, want 3", got)
	}
}

func TestConnackWhenTheStoreIsDown(t *testing.T) {
	s := open(t, nil)
	s.house.down = true
	c := s.dial()
	c.send(connectPacket(clientID("device1"), "device1's", 60))
	c.expect("\x20\x02\x00\x03")
	c.closed()
}

func TestConnectVariants(t *testing.T) {
	s := open(t, nil)
	id, token := text(clientID("device1")), text("device1's")
	head := func(name string, level, flags byte) []byte { return append(text(name), level, flags, 0, 60) }
	for name, test := range map[string]struct {
		body []byte
		want string // "": closed without an answer
	}{
		"empty user name":               {bytes.Join([][]byte{head("MQTT", 4, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x00"},
		"M9 session to be kept":         {bytes.Join([][]byte{head("MQTT", 4, 0xc0), id, text(""), token}, nil), "\x20\x02\x00\x00"},
		"no password":                   {bytes.Join([][]byte{head("MQTT", 4, 0x82), id, text("x")}, nil), "\x20\x02\x00\x05"},
		"neither":                       {bytes.Join([][]byte{head("MQTT", 4, 0x02), id}, nil), "\x20\x02\x00\x05"},
		"M14 MQTT 3.1":                  {bytes.Join([][]byte{head("MQIsdp", 3, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 MQTT 5":                    {bytes.Join([][]byte{head("MQTT", 5, 0xc2), {0}, id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M16 MQTT 5, alias and session": {bytes.Join([][]byte{head("MQTT", 5, 0xc2), {8, 0x11, 255, 255, 255, 255, 0x22, 0, 9}, id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 level 0":                   {bytes.Join([][]byte{head("MQTT", 0, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 a bridge's level":          {bytes.Join([][]byte{head("MQTT", 0x84, 0xc2), id, text(""), token}, nil), "\x20\x02\x00\x01"},
		"M14 HTTP":                      {bytes.Join([][]byte{head("HTTP", 4, 0xc2), id, text(""), token}, nil), ""},
		"M14 lower case":                {bytes.Join([][]byte{head("mqtt", 4, 0xc2), id, text(""), token}, nil), ""},
		"M14 reserved flag":             {bytes.Join([][]byte{head("MQTT", 4, 0xc3), id, text(""), token}, nil), ""},
		"M14 password without user":     {bytes.Join([][]byte{head("MQTT", 4, 0x42), id, token}, nil), ""},
		"M14 trailing byte":             {bytes.Join([][]byte{head("MQTT", 4, 0xc2), id, text(""), token, {0}}, nil), ""},
		"M14 NUL in the id":             {bytes.Join([][]byte{head("MQTT", 4, 0xc2), text("a\x00b"), text(""), token}, nil), ""},
		"M14 id is no UTF-8":            {bytes.Join([][]byte{head("MQTT", 4, 0xc2), text("a\xff"), text(""), token}, nil), ""},
		"M7 will":                       {bytes.Join([][]byte{head("MQTT", 4, 0xc6), id, text("/devices/device2/events"), text("x"), text(""), token}, nil), ""},
		"M7 will on the own topic":      {bytes.Join([][]byte{head("MQTT", 4, 0xce), id, text("/devices/device1/events"), text("x"), text(""), token}, nil), ""},
		"M7 retained will":              {bytes.Join([][]byte{head("MQTT", 4, 0xe6), id, text("/devices/device1/events"), text("x"), text(""), token}, nil), ""},
		"M7 will flags without a will":  {bytes.Join([][]byte{head("MQTT", 4, 0xca), id, text(""), token}, nil), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send(pack(0x10, test.body))
			if test.want != "" {
				c.expect(test.want)
			}
			if !strings.HasSuffix(test.want, "\x00") {
				c.closed()
			}
		})
	}
	s.wantEvents()
}

func TestM14_NoSecondConnect(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(connectPacket(clientID("device2"), "device2's", 60))
	c.closed()
	if n := testutil.ToFloat64(s.Metrics.Connects.WithLabelValues("accepted")); n != 1 {
		t.Errorf("%v accepted", n)
	}
}

func TestPacketsMayComeBeforeTheConnack(t *testing.T) {
	s := open(t, nil)
	c := s.dial()
	c.send(append(connectPacket(clientID("device1"), "device1's", 60), publish("/devices/device1/events", 1, "early")...))
	c.expect("\x20\x02\x00\x00" + puback(1))
	s.wantEvents(event{device: "device1", data: "early"})
}

// Refused before the session of the one it would take over is touched.
func TestM5_TakeoverWantsTheKey(t *testing.T) {
	s := open(t, nil)
	victim := s.connect("device1")
	c := s.dial()
	c.send(connectPacket(clientID("device1"), "device2's", 60))
	c.expect("\x20\x02\x00\x05")
	c.closed()
	victim.send(publish("/devices/device1/events", 1, "x"))
	victim.expect(puback(1))
	if n := s.house.epoch; n != 1 {
		t.Errorf("%d claims", n)
	}
}

func TestTheNewerSessionStays(t *testing.T) {
	s := open(t, nil)
	first := s.connect("device1")
	second := s.dial()
	second.send(connectPacket(clientID("1000000000000001"), "device1's", 60)) // the same device
	second.expect("\x20\x02\x00\x00")
	first.closed()
	second.send(publish("/devices/device1/events", 1, "x"))
	second.expect(puback(1))
	s.end()
	if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(takenOver))); n != 1 {
		t.Errorf("%v takeovers counted", n)
	}
	for _, sign := range s.house.signs {
		if sign.ErrorStatus != nil && sign.ErrorStatus.Code == 6 {
			if want := "mqtt: SERVER: The connection was closed because there is another active connection with the same device ID."; sign.ErrorStatus.Message != want {
				t.Errorf("lastErrorStatus says %q", sign.ErrorStatus.Message)
			}
			return
		}
	}
	t.Error("no lastErrorStatus")
}

func TestM11_OversizeBeforeAuthentication(t *testing.T) {
	s := open(t, func(s *Server) { s.Limits.PerAddress = 2000 })
	var before, after runtime.MemStats
	for name, head := range map[string]string{"256 MiB": "\x10\xff\xff\xff\x7f", "8 KiB and 1": "\x10\x81\x40", "5 bytes of length": "\x10\xff\xff\xff\xff\x01"} {
		t.Run(name, func(t *testing.T) {
			c := s.dial()
			c.send([]byte(head))
			c.closed()
		})
	}
	runtime.ReadMemStats(&before)
	for range 100 {
		c := s.dial()
		c.send([]byte("\x10\xff\xff\xff\x7f"))
		c.closed()
		c.raw.Close()
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 100<<20 {
		t.Errorf("%d MiB allocated for 100 connections", grown>>20)
	}
}

func TestM11_OversizeAfterAuthentication(t *testing.T) {
	s := open(t, nil)
	for name, head := range map[string]string{"256 MiB": "\x30\xff\xff\xff\x7f", "5 bytes of length": "\x30\x80\x80\x80\x80\x01"} {
		t.Run(name, func(t *testing.T) {
			c := s.connect("device1")
			c.send([]byte(head))
			c.closed()
		})
	}
}
