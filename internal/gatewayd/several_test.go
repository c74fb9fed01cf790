package gatewayd_test

import (
	"testing"

	"iotbridge/internal/testpostgres"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// B38: two gateways over one PostgreSQL are one. A device that goes from one to the
// other has one session; commands, config and blocking find it where it is.
func TestB38_TwoGatewaysOneSession(t *testing.T) {
	address := testpostgres.Database(t)
	s := start(t)
	s.store = address
	a, b := s.gateway(), s.gateway()
	a.seed()
	d := a.device("device1")

	first := a.mustConnect(d)
	second := b.mustConnect(d)
	a.closed(first)
	third := a.mustConnect(d)
	b.closed(second)
	if err := third.send("/devices/device1/events/temperature", "here"); err != nil {
		t.Fatal(err)
	}

	commands := make(chan string, 10)
	token := third.Subscribe("/devices/device1/commands/#", 1, receive(commands))
	if token.Wait(); token.Error() != nil {
		t.Fatal(token.Error())
	}
	name := registry + "/devices/device1"
	if _, err := b.manager().SendCommandToDevice(t.Context(), &iotpb.SendCommandToDeviceRequest{Name: name, BinaryData: []byte("reboot")}); err != nil {
		t.Errorf("a command through the other gateway: %v", err)
	} else if got := <-commands; got != "/devices/device1/commands reboot" {
		t.Errorf("%q", got)
	}
	_, err := b.manager().UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
		Device: &iotpb.Device{Name: name, Blocked: true}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"blocked"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a.closed(third)
}
