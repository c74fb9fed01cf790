package demo

import (
	"maps"
	"testing"
	"time"

	"iotbridge/schema"
)

// The verdict on each message is the worker's own.
func TestEachKindMeetsItsVerdict(t *testing.T) {
	f := &Fleet{Devices: 3, Spoofers: 2, Project: "demo", Location: "us-central1", Registry: "RaspberryPiDevices", Run: "r"}
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
	seen := map[Kind]int{}
	for device := range f.Size() {
		for n := range 100 {
			m := f.Message(device, n, time.Unix(1700000000, 123456789))
			seen[m.Kind]++
			s := schema.Message{ID: []byte("1"), Data: m.Data}
			for k, v := range m.Attributes {
				s.Attributes = append(s.Attributes, schema.Attribute{Key: []byte(k), Value: []byte(v)})
			}
			var got schema.Reason
			if _, err := encoders[m.Topic].Append(nil, &s, 0); err != nil {
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

func TestIDsAreOfTheGrammar(t *testing.T) {
	for _, device := range []int{0, 1, 999_999} {
		if !schema.ValidID(name(device)) || !schema.ValidNumID(numID(device)) {
			t.Errorf("device %d: %s, %s", device, name(device), numID(device))
		}
	}
}
