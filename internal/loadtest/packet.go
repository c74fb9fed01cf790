package loadtest

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Packets of MQTT 3.1.1, by their first byte.
const (
	connect    = 0x10
	connack    = 0x20
	publishQoS = 0x32 // at QoS 1
	puback     = 0x40
	disconnect = 0xe0
)

// SubFolder is where the fleet publishes its readings.
const SubFolder = "temperature"

// connect is the device's first packet. It has no keepalive: a load ends by itself.
func (d *Device) connect() []byte {
	const userAndPassword, cleanSession = 0xc0, 0x02
	body := appendText(nil, "MQTT")
	body = append(body, 4, userAndPassword|cleanSession, 0, 0)
	body = appendText(body, d.String())
	body = appendText(body, "unused")
	body = appendText(body, d.token)
	return packet(connect, body)
}

// publish is a reading of the device, and where in it the packet id goes.
func (d *Device) publish(at time.Time) (p []byte, id int) {
	body := appendText(nil, "/devices/"+d.Device+"/events/"+SubFolder)
	id = len(body)
	body = append(body, 0, 0)
	body = fmt.Appendf(body, `{"device_id":%q,"timestamp":%.3f,"temperature":21.437}`, d.Device, float64(at.UnixMilli())/1e3)
	p = packet(publishQoS, body)
	return p, id + len(p) - len(body)
}

func packet(first byte, body []byte) []byte {
	p := binary.AppendUvarint([]byte{first}, uint64(len(body)))
	return append(p, body...)
}

func appendText(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// refusals are what a CONNACK may say (MQTT 3.1.1, table 3.1).
var refusals = map[byte]string{
	1: "not this version of MQTT", 2: "not this client id", 3: "not available", 4: "not this user name or password", 5: "not authorized",
}
