package mqtt

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iotbridge/gateway"
)

const (
	number1 = 1_000_000_000_000_001
	number2 = 1_000_000_000_000_002
)

// sent is the server's PUBLISH.
func sent(head byte, topic string, id uint16, data string) string {
	b := publish(topic, id, data)
	b[0] = head
	return string(b)
}

func (s *site) setConfig(device uint64, version int64, data string) {
	s.house.mu.Lock()
	s.house.configs[device] = gateway.Config{Version: version, Data: []byte(data)}
	s.house.mu.Unlock()
	s.tell(gateway.Change{Kind: gateway.ConfigChanged, Device: device})
}

func (s *site) ackedVersion(device uint64) int64 {
	s.house.mu.Lock()
	defer s.house.mu.Unlock()
	return s.acked[device]
}

func TestConfigAtEachSubscriptionAndUpdate(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		topic := "/devices/device1/config"
		s.setConfig(number1, 2, "unheard")
		c.send(subscribe(1, topic, 1))
		c.expect("\x90\x03\x00\x01\x01" + sent(0x32, topic, 1, "unheard"))
		c.send([]byte(puback(1)))
		synctest.Wait()
		if v := s.ackedVersion(number1); v != 2 {
			t.Errorf("version %d acknowledged", v)
		}
		s.setConfig(number1, 3, "three")
		c.expect(sent(0x32, topic, 2, "three"))
		s.setConfig(number1, 4, "four") // takes the place of the third
		c.expect(sent(0x32, topic, 3, "four"))
		c.send([]byte(puback(2)))
		synctest.Wait()
		if v := s.ackedVersion(number1); v != 2 {
			t.Errorf("version %d acknowledged by a PUBACK that came too late", v)
		}
		s.tell(gateway.Change{Kind: gateway.ConfigChanged, Device: number1}) // twice
		c.send(subscribe(2, topic, 1))
		c.expect("\x90\x03\x00\x02\x01" + sent(0x32, topic, 4, "four"))
		c.send([]byte(puback(4)))
		synctest.Wait()
		if v := s.ackedVersion(number1); v != 4 {
			t.Errorf("version %d acknowledged", v)
		}
	})
}

func TestConfigComesAgainUntilAcknowledged(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		topic := "/devices/1000000000000001/config" // the spelling that was subscribed
		begin := time.Now()
		c.send(subscribe(1, topic, 2))
		c.expect("\x90\x03\x00\x01\x01" + sent(0x32, topic, 1, ""))
		for n := range 3 {
			c.conn.SetReadDeadline(time.Time{})
			b := make([]byte, len(sent(0x3a, topic, 1, "")))
			if _, err := io.ReadFull(c.in, b); err != nil || string(b) != sent(0x3a, topic, 1, "") {
				t.Fatalf("read %x, %v", b, err)
			}
			if took := time.Since(begin); took != time.Duration(n+1)*20*time.Second {
				t.Errorf("again after %v", took)
			}
			c.send([]byte{0xc0, 0})
			c.expect("\xd0\x00")
		}
		c.send([]byte(puback(1)))
		<-time.After(time.Minute)
		c.send([]byte{0xc0, 0})
		c.expect("\xd0\x00")
	})
}

func TestConfigOfQoS0ComesOnce(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		topic := "/devices/device1/config"
		c.send(subscribe(1, topic, 0))
		c.expect("\x90\x03\x00\x01\x00" + sent(0x30, topic, 0, ""))
		<-time.After(time.Minute)
		s.setConfig(number1, 2, "x")
		c.expect(sent(0x30, topic, 0, "x"))
		c.send(pack(0xa2, []byte{0, 9}, text(topic)))
		c.expect("\xb0\x02\x00\x09")
		s.setConfig(number1, 3, "y")
		c.send([]byte{0xc0, 0})
		c.expect("\xd0\x00")
	})
}

// A device's packet ids and ours have nothing to do with each other.
func TestPacketIDsAreTwoSpaces(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		topic := "/devices/device1/config"
		c.send(subscribe(1, topic, 1))
		c.expect("\x90\x03\x00\x01\x01" + sent(0x32, topic, 1, ""))
		c.send(publish("/devices/device1/events", 1, "x"))
		c.expect(puback(1))
		c.send(subscribe(1, "/devices/device1/commands/#", 1))
		c.expect("\x90\x03\x00\x01\x01")
		<-time.After(20 * time.Second)
		c.expect(sent(0x3a, topic, 1, ""))
		c.send([]byte(puback(1)))
		c.send([]byte(puback(77))) // that nobody waits for
		synctest.Wait()
		if v := s.ackedVersion(number1); v != 1 {
			t.Errorf("version %d acknowledged", v)
		}
	})
}

func TestConfigComesWhenTheStoreIsBack(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		s.house.mu.Lock()
		s.house.down = true
		s.house.mu.Unlock()
		c.send(subscribe(1, "/devices/device1/config", 1))
		c.expect("\x90\x03\x00\x01\x01")
		synctest.Wait()
		s.house.mu.Lock()
		s.house.down = false
		s.house.mu.Unlock()
		c.expect(sent(0x32, "/devices/device1/config", 1, ""))
	})
}

func (s *site) command(id, folder, data string) {
	s.tell(gateway.Change{
		Kind: gateway.CommandSent, Device: number1, Instance: s.Instance,
		Command: &gateway.Command{ID: id, Device: number1, SubFolder: folder, Data: []byte(data)},
	})
	synctest.Wait()
}

func (s *site) answer(id string) (ok bool, err error) {
	synctest.Wait()
	s.house.mu.Lock()
	defer s.house.mu.Unlock()
	err, ok = s.answers[id]
	return ok, err
}

func TestCommands(t *testing.T) {
	bubble(t, nil, func(s *site) {
		s.command("early", "", "x")
		if _, err := s.answer("early"); !errors.Is(err, gateway.ErrNotConnected) {
			t.Errorf("without a session: %v", err)
		}
		c := s.connect("device1")
		s.command("unheard", "", "x")
		if _, err := s.answer("unheard"); !errors.Is(err, gateway.ErrNotConnected) {
			t.Errorf("without a subscription: %v", err)
		}
		c.send(subscribe(1, "/devices/device1/commands/#", 0))
		c.expect("\x90\x03\x00\x01\x00")
		s.command("zero", "", "x")
		c.expect(sent(0x30, "/devices/device1/commands", 0, "x"))
		if ok, err := s.answer("zero"); err != nil || !ok {
			t.Errorf("with QoS 0: %v, %v", err, ok)
		}
		c.send(subscribe(2, "/devices/1000000000000001/commands/#", 1))
		c.expect("\x90\x03\x00\x02\x01")
		s.command("one", "a/b", "y")
		c.expect(sent(0x32, "/devices/1000000000000001/commands/a/b", 1, "y"))
		if ok, _ := s.answer("one"); ok {
			t.Error("answered before the device has acknowledged it")
		}
		c.send([]byte(puback(1)))
		if ok, err := s.answer("one"); err != nil || !ok {
			t.Errorf("with QoS 1: %v, %v", err, ok)
		}
		s.command("late", "", "z")
		c.expect(sent(0x32, "/devices/1000000000000001/commands", 2, "z"))
		<-time.After(time.Minute)
		if _, err := s.answer("late"); err == nil {
			t.Error("without an acknowledgement")
		}
		s.command("lost", "", "z")
		c.expect(sent(0x32, "/devices/1000000000000001/commands", 3, "z"))
		c.raw.Close()
		if _, err := s.answer("lost"); !errors.Is(err, gateway.ErrNotConnected) {
			t.Errorf("of a session that ended: %v", err)
		}
	})
}

// What waits for a device that does not read is bounded, and others do not feel it.
func TestB36_SlowDevice(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c, other := s.connect("device1"), s.connect("device2")
		c.send(subscribe(1, "/devices/device1/commands/#", 0))
		c.expect("\x90\x03\x00\x01\x00")
		begin := time.Now()
		for i := range 10 {
			s.command(fmt.Sprint(i), "", strings.Repeat("x", 200_000))
		}
		synctest.Wait()
		if n := testutil.ToFloat64(s.Metrics.Connections); n != 2 { // its last words are a second
			t.Errorf("%v sessions", n)
		}
		other.send(publish("/devices/device2/events", 1, "x"))
		other.expect(puback(1))
		<-time.After(3 * time.Second)
		if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(slow))); n != 1 {
			t.Errorf("not closed after %v", time.Since(begin))
		}
		if _, err := s.answer("9"); !errors.Is(err, gateway.ErrNotConnected) {
			t.Errorf("the last command: %v", err)
		}
	})
}

func TestB36_NotEvenOnePacketIsTaken(t *testing.T) {
	bubble(t, nil, func(s *site) {
		c := s.connect("device1")
		c.send([]byte{0xc0, 0})
		<-time.After(25 * time.Second)
		if n := testutil.ToFloat64(s.Metrics.Disconnects.WithLabelValues(string(slow))); n != 1 {
			t.Error("not closed")
		}
	})
}

// A few that do not read occupy every writer; one more is taken on.
func TestStuckWritersDoNotHoldUpOthers(t *testing.T) {
	bubble(t, nil, func(s *site) {
		for i := range 2 * fewWriters {
			name := fmt.Sprintf("stuck%d", i)
			s.house.add(name, 3_000_000_000_000_000+uint64(i), false)
			s.connect(name).send([]byte{0xc0, 0})
		}
		synctest.Wait()
		begin := time.Now()
		c := s.connect("device1")
		c.send([]byte{0xc0, 0})
		c.expect("\xd0\x00")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("answered after %v", took)
		}
	})
}

func errorText(kind, text, device, about string) string {
	return `{"error_type":"` + kind + `","description":"` + text + `","device_id":"` + device + `"` + about + `}`
}

func about(topic string, id int) string {
	return fmt.Sprintf(`,"mqtt_message_info":{"message_type":"PUBLISH","topic":"%s","packet_id":%d}`, topic, id)
}

func TestGatewayAttachesDevices(t *testing.T) {
	bubble(t, func(s *site) { s.house.bound["gateway1/device1"] = true }, func(s *site) {
		g := s.connect("gateway1")
		errorsTopic := "/devices/gateway1/errors"
		g.send(subscribe(1, errorsTopic, 1))
		g.expect("\x90\x03\x00\x01\x00")

		g.send(publish("/devices/device1/state", 10, "x"))
		g.expect(sent(0x30, errorsTopic, 0, errorText("GATEWAY_DEVICE_NOT_FOUND", "The specified device with ID 'device1' is not attached to the gateway.", "device1", about("/devices/device1/state", 10))))

		for id, payload := range []string{"", "{}", `{"authorization":""}`, `{"authorization" : "token-of-device1"}`, "{ 'authorization' : token-of-device1 }"} {
			g.send(publish("/devices/device1/attach", uint16(20+id), payload))
			g.expect(puback(uint16(20 + id)))
		}
		g.send(publish("/devices/device1/events/t", 30, "1"))
		g.send(publish("/devices/1000000000000001/state", 31, "2"))
		g.send(publish("/devices/gateway1/events", 32, "3"))
		g.expect(puback(30) + puback(31) + puback(32))
		s.wantEvents(event{device: "device1", via: "gateway1", folder: "t", data: "1"}, event{device: "gateway1", data: "3"})
		want := []event{{device: "device1", via: "gateway1", data: "2"}}
		if d := cmp.Diff(want, s.states, cmp.AllowUnexported(event{})); d != "" {
			t.Error(d)
		}

		g.send(subscribe(2, "/devices/device1/config", 1))
		g.expect("\x90\x03\x00\x02\x01" + sent(0x32, "/devices/device1/config", 1, ""))
		g.send([]byte(puback(1)))
		g.send(subscribe(3, "/devices/device1/commands/#", 1))
		g.expect("\x90\x03\x00\x03\x01")
		s.command("c", "", "x")
		g.expect(sent(0x32, "/devices/device1/commands", 2, "x"))
		g.send([]byte(puback(2)))
		if ok, err := s.answer("c"); err != nil || !ok {
			t.Errorf("answered %v, %v", err, ok)
		}

		g.send(publish("/devices/device2/attach", 40, `{"authorization":"another's"}`))
		g.expect(sent(0x30, errorsTopic, 0, errorText("GATEWAY_ATTACHMENT_ERROR", "The specified device with ID 'device2' could not be attached to the gateway.", "device2", about("/devices/device2/attach", 40))))

		g.send(publish("/devices/device3/attach", 41, `{"authorization":"token-of-device3"}`)) // not bound: its token counts
		g.expect(puback(41))

		g.send(publish("/devices/device1/detach", 50, ""))
		g.expect(puback(50))
		g.send(publish("/devices/device1/detach", 51, ""))
		g.expect(sent(0x30, errorsTopic, 0, errorText("GATEWAY_DEVICE_NOT_FOUND", "The specified device with ID 'device1' is not attached to the gateway.", "device1", about("/devices/device1/detach", 51))))
		synctest.Wait()
		if _, held := s.house.claims[number1]; held {
			t.Error("the claim of a detached device is still held")
		}
		g.send([]byte{0xe0, 0})
		g.closed()
	})
}

func TestNoGatewayNoAttachment(t *testing.T) {
	for _, topic := range []string{"/devices/device1/attach", "/devices/device2/attach", "/devices/device1/detach", "/devices/gateway1/attach"} {
		if why, out, _ := play(t, "device1", publish(topic, 1, "{}")); why != badTopic || len(out) > 0 {
			t.Errorf("%s: ended for %s, answered %x", topic, why, out)
		}
	}
}

// A gateway that does not listen for errors is disconnected instead.
func TestGatewayThatDoesNotListenIsClosed(t *testing.T) {
	if why, _, _ := play(t, "gateway1", publish("/devices/device1/events", 1, "x")); why != badTopic {
		t.Errorf("ended for %s", why)
	}
}

func TestGatewaysOwnDeviceIsNotAttached(t *testing.T) {
	_, out, d := play(t, "gateway1", append(subscribe(1, "/devices/gateway1/errors", 0), publish("/devices/gateway1/attach", 1, "{}")...))
	if !strings.Contains(string(out), "GATEWAY_ATTACHMENT_ERROR") || len(d.attached) > 0 {
		t.Errorf("answered %q", out)
	}
}

func TestAttachedDevicesAreBounded(t *testing.T) {
	d := newDesk(t, "gateway1", nil)
	for i := range maxAttached {
		v := &voice{session: d.session, admission: &gateway.Admission{Device: &gateway.Device{Key: gateway.DeviceKey{Device: fmt.Sprint("x", i)}}}, number: fmt.Sprint(i)}
		d.remember(v)
	}
	if !d.full("device2") || d.full("x5") || d.full("5") {
		t.Error("the thousand-and-first is not refused, or one of the thousand is")
	}
}

func TestAuthorization(t *testing.T) {
	for payload, want := range map[string]string{
		"": "", "{}": "", `{"authorization":""}`: "", `{"authorization":null}`: "null", `{"authorization":"a.b-c_d.e="}`: "a.b-c_d.e=",
		"{ 'authorization' : a.b.c }": "a.b.c", "{\n  \"authorization\" : \"a.b.c\"\n}": "a.b.c", "authorization": "", `{"x":"y"}`: "",
		`{"authorization":"a.b.c","authorization":"d"}`: "a.b.c", "\xff\xfe": "",
	} {
		if got := authorization([]byte(payload)); string(got) != want {
			t.Errorf("%q: %q, want %q", payload, got, want)
		}
	}
}
