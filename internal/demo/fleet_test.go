package demo

import (
	"maps"
	"testing"
	"time"

	"iotbridge/schema"
)

// The verdict on each message is the worker's own.
func TestEachKindMeetsItsVerdict(t *testing.T) {
	f := &Fleet{Devices: 3, Spoofers: 2, Run: "r"}
	encoders := map[string]*schema.Encoder{}
	for _, topic := range []string{TopicTemperature, TopicSensordata} {
		table, err := schema.Builtin(topic)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := table.Compile()
		if err != nil {
			t.Fatal(err)
		}
		encoders[topic] = plan.NewEncoder(true)
	}
	seen, ids := map[Kind]int{}, map[string]bool{}
	for device := range f.Size() {
		for n := range 100 {
			m := f.Message(device, n, time.Unix(1700000000, 123456789))
			seen[m.Kind]++
			if id := idIn(string(m.Data)); id != m.ID || ids[id] {
				t.Fatalf("device %d, message %d, %s: id %q, want %q and only once", device, n, m.Data, id, m.ID)
			}
			ids[m.ID] = true
			s := schema.Message{ID: []byte("1"), Data: m.Data, Attributes: []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: []byte(m.Device)}}}
			var got schema.Reason
			if _, err := encoders[m.Kind.Topic()].Append(nil, &s, 0); err != nil {
				got = err.(*schema.Rejection).Reason
			}
			if got != m.Kind.Reason() {
				t.Fatalf("device %d, message %d, %s: %q, want %q", device, n, m.Data, got, m.Kind.Reason())
			}
		}
	}
	if want := (map[Kind]int{Reading: 210, Sensors: 60, Malformed: 30, Spoofed: 200}); !maps.Equal(seen, want) {
		t.Errorf("kinds %v, want %v", seen, want)
	}
}

func TestNamesAreOfTheGrammar(t *testing.T) {
	f := &Fleet{}
	for _, device := range []int{0, 1, 999_999} {
		if !schema.ValidID(f.Name(device)) {
			t.Errorf("device %d: %s", device, f.Name(device))
		}
	}
}
