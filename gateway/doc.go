// Package gateway is the door: a device proves who it is, and what it sends is
// published with attributes that nobody but the gateway can set.
//
//	device ──MQTT──▶ mqtt ───────┐                       ┌──▶ Publisher (Pub/Sub)
//	       ──HTTP──▶ httpbridge ─┴─▶ Bridge ─admission───┤
//	operator ─gRPC, REST─▶ devicemanager ─▶ registry ◀───┴─ Directory, Mailbox, Bus
//
// Admission asks the directory for the device that the client names, the verifier
// whether the token was signed with one of its keys, and answers unknown and wrong
// alike. From then on the session speaks for that device and, if it is a gateway,
// for the devices that it has attached; nothing that it sends says who it is.
//
// A telemetry message is confirmed to the device only when Pub/Sub has confirmed it.
// If it will not, the connection is closed without a confirmation and the device
// sends it again.
//
// One device has one session in the whole fleet of gateways: the store numbers the
// claims, and who sees a higher number closes its own. Blocking, deleting, and the
// removal of the credential that a session used reach it within two seconds over the
// bus, and within five when a notification was lost. What the store cannot answer is
// refused as our fault, never as the device's; but for a minute a device that was
// asked for before is admitted by what the store said then, unless a change of it
// was announced since.
package gateway
