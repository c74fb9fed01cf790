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

// Topic is the short name of the topic that a message of that kind is routed to.
func (k Kind) Topic() string {
	if k == Sensors {
		return TopicSensordata
	}
	return TopicTemperature
}

// SubFolder is what a message of that kind is published under; the seed's registry
// sends what has none to the default topic.
func (k Kind) SubFolder() string {
	if k == Sensors {
		return ""
	}
	return TopicTemperature
}

// Fleet is devices of one registry: device1 to deviceN, the spoofers last.
type Fleet struct {
	Devices, Spoofers int
	Run               string // of a-z and 0-9; makes messages unique among runs
}

// Message is one message of a device.
type Message struct {
	Kind   Kind
	Device string // its name
	ID     string // unique; in the data as id says
	Data   []byte
}

// Size is the number of devices and spoofers.
func (f *Fleet) Size() int { return f.Devices + f.Spoofers }

// Name is a device's, counted from 0.
func (f *Fleet) Name(device int) string { return name(device) }

// Message returns the n-th message of a device, both counted from 0: always the same
// kind for the same numbers.
func (f *Fleet) Message(device, n int, at time.Time) Message {
	m := Message{Kind: f.kind(device, n), Device: name(device), ID: fmt.Sprintf("run-%s-%d-%d", f.Run, device+1, n)}
	m.Data = f.body(&m, device, n, at)
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

func (f *Fleet) body(m *Message, device, n int, at time.Time) []byte {
	claim := m.Device
	switch m.Kind {
	case Malformed:
		return fmt.Appendf(nil, malformed[n/10%len(malformed)], m.ID)
	case Sensors:
		return fmt.Appendf(nil, `{"device_id":%q,"timestamp":%s,"reading_id":%q,"uptime":%d,"humidity":%.1f}`, claim, seconds(at), m.ID, n, 45+10*math.Sin(float64(n)/20))
	case Spoofed:
		claim = f.victim(device)
	}
	celsius := 15 + float64(device%20) + 2*math.Sin(float64(n)/30)
	return fmt.Appendf(nil, `{"device_id":%q,"timestamp":%s,"temperature":%.3f,"reading_id":%q}`, claim, seconds(at), celsius, m.ID)
}

// malformed bodies; they say nothing that could be told as a claim and believed.
var malformed = []string{
	`{"device_id":"device1","timestamp":1700000000.123,"reading_id":%q,"temperature":`,
	`{"device_id":"device1","timestamp":1700000000.123,"reading_id":%q,"temperature":NaN}`,
	"21.437 %s",
	"{\"reading_id\":%q,\"device_id\":\"device\xff\"}",
}

// victim is the device that a spoofer wants to be taken for.
func (f *Fleet) victim(spoofer int) string {
	if f.Devices == 0 {
		return "somebody"
	}
	return name((spoofer - f.Devices) % f.Devices)
}

func name(device int) string { return "device" + strconv.Itoa(device+1) }

func seconds(t time.Time) string {
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}
