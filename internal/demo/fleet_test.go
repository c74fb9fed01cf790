package demo

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"iotbridge/schema"
)

const stream = "00112233445566778899aabbccddeeff"

// body is the n-th that the device's agent makes.
func body(f *Fleet, device int, n uint64) []byte {
	return fmt.Appendf(nil, `{"device_id":%q,"timestamp":1700000000.123,"temperature":21.5,"reading_id":"%s-%d"}`, f.Claim(device, f.Name(device)), stream, n)
}

// sent is what the device makes of it.
func sent(t *testing.T, f *Fleet, device int, n uint64) *Message {
	t.Helper()
	m, ok := f.Message(device, body(f, device, n))
	if !ok {
		t.Fatalf("%s is no reading", body(f, device, n))
	}
	return &m
}

// The verdict on each message is the worker's own.
func TestEachKindMeetsItsVerdict(t *testing.T) {
	f := &Fleet{Devices: 3, Spoofers: 2}
	encoders := map[string]*schema.Encoder{}
	for _, topic := range []string{TopicTemperature, TopicSensordata} {
		plan, err := builtin(t, topic).Compile()
		if err != nil {
			t.Fatal(err)
		}
		encoders[topic] = plan.NewEncoder(true)
	}
	seen := map[Kind]int{}
	for device := range f.Size() {
		topic := TopicTemperature
		if f.SubFolder(device) == "" {
			topic = TopicSensordata
		}
		for n := range uint64(100) {
			m := sent(t, f, device, n)
			seen[m.Kind]++
			if want := fmt.Sprintf("%s-%d", stream, n); idIn(string(m.Data)) != want || m.ID != want || m.Device != f.Name(device) {
				t.Fatalf("device %d, message %d: %+v, want the id %s in it", device, n, m, want)
			}
			s := schema.Message{ID: []byte("1"), Data: m.Data, Attributes: []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: []byte(m.Device)}}}
			var got schema.Reason
			if _, err := encoders[topic].Append(nil, &s, 0); err != nil {
				got = err.(*schema.Rejection).Reason
			}
			if got != m.Kind.Reason() {
				t.Fatalf("device %d, message %d, %s: %q, want %q", device, n, m.Data, got, m.Kind.Reason())
			}
			if again := sent(t, f, device, n); again.Kind != m.Kind || !bytes.Equal(again.Data, m.Data) {
				t.Fatalf("%s the first time, %s the second", m.Data, again.Data)
			}
		}
	}
	if want := (map[Kind]int{Reading: 180, Sensors: 90, Malformed: 30, Spoofed: 200}); !maps.Equal(seen, want) {
		t.Errorf("kinds %v, want %v", seen, want)
	}
}

func TestWhatIsNoReadingIsLeftAlone(t *testing.T) {
	f := &Fleet{Devices: 1}
	for _, body := range []string{
		`{"config":{"version":1,"applied":{"interval":"1s"}}}`,
		`{"device_id":"device1","timestamp":1.000,"gap":{"stream":"` + stream + `","first":1,"last":2,"reason":"full"}}`,
		`{"reading_id":"` + stream + `-18446744073709551616"}`,
	} {
		if m, ok := f.Message(0, []byte(body)); ok {
			t.Errorf("%s is taken for %+v", body, m)
		}
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
