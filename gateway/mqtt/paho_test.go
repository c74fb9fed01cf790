package mqtt

import (
	"fmt"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"iotbridge/gateway"
)

// A client that is not ours, as devices in the field use it.
func TestPahoClient(t *testing.T) {
	s := open(t, nil)
	s.house.configs[number1] = gateway.Config{Version: 2, Data: []byte("every 5 s")}
	options := paho.NewClientOptions().AddBroker("ssl://" + s.listen.Addr().String()).SetClientID(clientID("1000000000000001")).
		SetUsername("unused").SetPassword("device1's").SetProtocolVersion(4).SetTLSConfig(clientTLS()).SetAutoReconnect(false).
		SetKeepAlive(30 * time.Second).SetOrderMatters(false)
	c := paho.NewClient(options)
	done := func(token paho.Token) {
		t.Helper()
		if !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatalf("%T: %v", token, token.Error())
		}
	}
	done(c.Connect())
	heard := make(chan string, 10)
	hear := func(_ paho.Client, m paho.Message) { heard <- m.Topic() + " " + string(m.Payload()) }
	done(c.Subscribe("/devices/1000000000000001/config", 1, hear))
	done(c.Subscribe("/devices/1000000000000001/commands/#", 2, hear))
	if got := <-heard; got != "/devices/1000000000000001/config every 5 s" {
		t.Errorf("heard %q", got)
	}
	s.tell(gateway.Change{Kind: gateway.CommandSent, Device: number1, Instance: s.Instance, Command: &gateway.Command{ID: "c1", Device: number1, SubFolder: "led", Data: []byte("on")}})
	if got := <-heard; got != "/devices/1000000000000001/commands/led on" {
		t.Errorf("heard %q", got)
	}
	var all sync.WaitGroup
	for i := range 500 {
		token := c.Publish("/devices/1000000000000001/events/temperature", 1, false, fmt.Sprint(i))
		all.Go(func() {
			if !token.WaitTimeout(patience) || token.Error() != nil {
				t.Errorf("publish %d: %v", i, token.Error())
			}
		})
	}
	all.Wait()
	done(c.Publish("/devices/1000000000000001/state", 1, false, "up"))
	c.Disconnect(100)
	s.end()
	seen := map[string]bool{}
	for _, e := range s.events() {
		if e.device != "device1" || e.folder != "temperature" {
			t.Errorf("%+v", e)
		}
		seen[e.data] = true
	}
	if len(seen) != 500 || len(s.states) != 1 || s.acked[number1] != 2 {
		t.Errorf("%d events, %d states, config %d", len(seen), len(s.states), s.acked[number1])
	}
	if err, ok := s.answers["c1"]; !ok || err != nil {
		t.Errorf("command answered: %v, %v", ok, err)
	}
}

// Refused, it is told so by CONNACK 5, and that is not one of our faults.
func TestPahoClientRefused(t *testing.T) {
	s := open(t, nil)
	options := paho.NewClientOptions().AddBroker("ssl://" + s.listen.Addr().String()).SetClientID(clientID("device1")).
		SetUsername("unused").SetPassword("wrong").SetProtocolVersion(4).SetTLSConfig(clientTLS()).SetAutoReconnect(false)
	c := paho.NewClient(options)
	token := c.Connect()
	if !token.WaitTimeout(patience) || token.Error() == nil {
		t.Fatal("connected")
	}
	if got := token.(*paho.ConnectToken).ReturnCode(); got != notAuthorized {
		t.Errorf("code %d", got)
	}
}
