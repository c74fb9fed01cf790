package demo

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"

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

// Fleet is devices of one registry: device1 to deviceN, the spoofers last. Those that
// provision themselves are named after their serials.
type Fleet struct {
	Devices, Spoofers int
	Provisioned       bool
}

// Message is one message of a device.
type Message struct {
	Kind   Kind
	Device string // its name
	ID     string // the reading's; in the data as id says
	Data   []byte
}

// Size is the number of devices and spoofers.
func (f *Fleet) Size() int { return f.Devices + f.Spoofers }

// Name is a device's, counted from 0.
func (f *Fleet) Name(device int) string {
	if f.Provisioned {
		return "d-" + f.Serial(device)
	}
	return "device" + strconv.Itoa(device+1)
}

// Serial is a board's, as a Raspberry Pi's looks.
func (f *Fleet) Serial(device int) string { return fmt.Sprintf("10000000%08X", device+1) }

// SubFolder is what a device publishes under. Every third honest one is more than a
// thermometer, and publishes to the default topic.
func (f *Fleet) SubFolder(device int) string {
	if device < f.Devices && device%3 == 2 {
		return ""
	}
	return TopicTemperature
}

// Claim is who a device says it is: one of its two own names, or a spoofer's victim.
func (f *Fleet) Claim(device int, own string) string {
	switch {
	case device < f.Devices:
		return own
	case f.Devices == 0:
		return "somebody"
	}
	return f.Name((device - f.Devices) % f.Devices)
}

// readingID is the agent's: its spool's stream, and a number that is never used twice.
var readingID = regexp.MustCompile(`\b[0-9a-f]{32}-([0-9]+)\b`)

// idIn finds the reading's id in what a message says. A device does not learn the id
// that Pub/Sub gave its message.
func idIn(said string) string { return readingID.FindString(said) }

// Message returns what a device sends of a body that its agent made: for the same body
// always the same. It is false for what is no reading.
func (f *Fleet) Message(device int, body []byte) (Message, bool) {
	found := readingID.FindSubmatch(body)
	if found == nil {
		return Message{}, false
	}
	number, err := strconv.ParseUint(string(found[1]), 10, 64)
	if err != nil {
		return Message{}, false
	}
	m := Message{Kind: f.kind(device, number), Device: f.Name(device), ID: string(found[0]), Data: body}
	if m.Kind == Malformed {
		m.Data = bytes.ReplaceAll(malformed[number/10%uint64(len(malformed))], []byte("ID"), found[0])
	}
	return m, true
}

// kind: of an honest device's ten messages one is malformed, each device's at another place.
func (f *Fleet) kind(device int, number uint64) Kind {
	switch {
	case device >= f.Devices:
		return Spoofed
	case (number+3*uint64(device))%10 == 5:
		return Malformed
	case f.SubFolder(device) == "":
		return Sensors
	}
	return Reading
}

// malformed bodies; they say nothing that could be told as a claim and believed.
var malformed = [][]byte{
	[]byte(`{"device_id":"device1","timestamp":1700000000.123,"reading_id":"ID","temperature":`),
	[]byte(`{"device_id":"device1","timestamp":1700000000.123,"reading_id":"ID","temperature":NaN}`),
	[]byte("21.437 ID"),
	[]byte("{\"reading_id\":\"ID\",\"device_id\":\"device\xff\"}"),
}
