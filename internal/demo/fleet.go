package demo

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"iotbridge/schema"
)

// The topics that the seed's registry has: readings, and all that has no topic of its own.
const (
	TopicTemperature = "temperature"
	TopicSensordata  = "sensordata"
)

// Kind is what a message is, and with that where it belongs.
type Kind uint8

// The kinds: the first two become rows, the others go to quarantine.
const (
	Reading   Kind = iota // a temperature
	Sensors               // anything else, on the default topic
	Spoofed               // names another device than the one that sent it
	Malformed             // no JSON object
)

// Reason is why a message of that kind is quarantined, or "".
func (k Kind) Reason() schema.Reason {
	switch k {
	case Spoofed:
		return schema.DeviceMismatch
	case Malformed:
		return schema.MalformedBody
	}
	return ""
}

// Fleet is devices of one registry: device1 to deviceN, the spoofers last.
type Fleet struct {
	Devices, Spoofers           int
	Project, Location, Registry string
	Run                         string // makes reading ids unique among runs
}

// Message is one message as the gateway passes it on, not yet signed.
type Message struct {
	Kind       Kind
	Device     string
	Topic      string // short name
	Attributes map[string]string
	Data       []byte
}

// Sign adds the attestation, as a gateway does.
func (m *Message) Sign(keys *schema.Keyring) {
	s := schema.Message{Data: m.Data}
	for key, value := range m.Attributes {
		s.Attributes = append(s.Attributes, schema.Attribute{Key: []byte(key), Value: []byte(value)})
	}
	m.Attributes[schema.AttrAttestation] = keys.Sign(&s)
}

// Size is the number of devices and spoofers.
func (f *Fleet) Size() int { return f.Devices + f.Spoofers }

// Message returns the n-th message of a device, both counted from 0: always the same
// kind for the same numbers.
func (f *Fleet) Message(device, n int, at time.Time) Message {
	m := Message{Kind: f.kind(device, n), Device: name(device), Topic: TopicTemperature}
	if m.Kind == Sensors {
		m.Topic = TopicSensordata
	}
	m.Attributes = map[string]string{
		schema.AttrDeviceID:         m.Device,
		schema.AttrDeviceNumID:      numID(device),
		schema.AttrRegistryID:       f.Registry,
		schema.AttrRegistryLocation: f.Location,
		schema.AttrProjectID:        f.Project,
		schema.AttrSubFolder:        "",
	}
	if m.Topic == TopicTemperature {
		m.Attributes[schema.AttrSubFolder] = TopicTemperature
	}
	m.Data = f.body(m.Kind, device, n, at)
	return m
}

// kind: of an honest device's ten messages one is malformed and two are no readings,
// each device's at other places.
func (f *Fleet) kind(device, n int) Kind {
	if device >= f.Devices {
		return Spoofed
	}
	switch (n + 3*device) % 10 {
	case 2, 7:
		return Sensors
	case 5:
		return Malformed
	}
	return Reading
}

func (f *Fleet) body(kind Kind, device, n int, at time.Time) []byte {
	claim := name(device)
	switch kind {
	case Malformed:
		return malformed[n/10%len(malformed)]
	case Sensors:
		return fmt.Appendf(nil, `{"device_id":%q,"timestamp":%s,"uptime":%d,"humidity":%.1f}`, claim, seconds(at), n, 45+10*math.Sin(float64(n)/20))
	case Spoofed:
		claim = f.victim(device)
	}
	celsius := 21 + float64(device) + 2*math.Sin(float64(n)/30)
	return fmt.Appendf(nil, `{"device_id":%q,"timestamp":%s,"temperature":%.3f,"reading_id":"%s-%d"}`, claim, seconds(at), celsius, f.Run, n)
}

// malformed bodies; they say nothing that could be told as a claim and believed.
var malformed = [][]byte{
	[]byte(`{"device_id":"device1","timestamp":1700000000.123,"temperature":`),
	[]byte(`{"device_id":"device1","timestamp":1700000000.123,"temperature":NaN}`),
	[]byte("21.437"),
	[]byte("{\"device_id\":\"device\xff\"}"),
}

// victim is the device that a spoofer wants to be taken for.
func (f *Fleet) victim(spoofer int) string {
	if f.Devices == 0 {
		return "somebody"
	}
	return name((spoofer - f.Devices) % f.Devices)
}

func name(device int) string  { return "device" + strconv.Itoa(device+1) }
func numID(device int) string { return strconv.Itoa(2_500_000_000_000_001 + device) }

func seconds(t time.Time) string {
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}
