package mqtt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublishIsAcknowledged(t *testing.T) {
	s := open(t, nil)
	c := s.connect("device1")
	c.send(publish("/devices/device1/events/temperature", 7, `{"temperature":21.5}`))
	c.expect(puback(7))
	want := []event{{device: "device1", folder: "temperature", data: `{"temperature":21.5}`}}
	if d := cmp.Diff(want, s.taken, cmp.AllowUnexported(event{})); d != "" {
		t.Error(d)
	}
	c.send([]byte{0xe0, 0})
	c.closed()
}
