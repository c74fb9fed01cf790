// Package mqtt is the agent's connection to the gateway: MQTT 3.1.1 over TLS, let in
// by a token that the device's own key has signed.
//
//	Connect ─▶ DNS, TCP ─▶ TLS, the CA's bundle ─▶ token, CONNECT ─▶ CONNACK ─▶ SUBACK ─▶ Session
//	   └──────────────────────────── Timeout, 10 s in all ────────────────────────────────┘
//
//	 core ──Publish──▶ queue ─▶ sender ─▶ paho ══▶ link ══▶ gateway
//	 core ◀──done────────── confirm ◀──── paho ◀══ gate ◀══ gateway
//	Inbox ◀──config, commands───────────── paho
//
// Each session is one client of paho.mqtt.golang with an empty store, and nothing of it
// is tried again here: when to connect anew, and what to send anew, is the core's.
//
// Between paho and the network stands the link. What comes in passes its gate, which
// lets through what a gateway may send to a device and nothing else, and looks at a
// packet's length before paho makes room for it. The link also has the deadlines: paho
// has none for a write that is no PUBLISH, and none for silence that is half as exact.
//
//	state        leaves it when
//	connecting   CONNACK 0 and both subscriptions are granted; or Timeout, or CONNACK 1–5
//	open         the session ends: Ended is closed, Err says why
//	ended        paho has let go of all: each Publish has had its answer
//
// What may fail, and what then happens:
//
//	no DNS, no route, TLS refused   an error that names the cause and its cure
//	CONNACK 1 to 5                  *device.Refused; never tried again as MQTT 3.1
//	silence                         ended after 1.5 times the keepalive
//	a write that does not end       ended after WriteTimeout
//	a PUBACK that is lost           the reading stays unconfirmed until the session ends
//	a PUBACK twice, or for no id    ignored
//	a packet that may not come,     ended before it is read
//	or of more than 300 KiB
//	a config or command too large   dropped, and said once a session
//	the token gets old              Renew is closed at about nine tenths of its lifetime
//
// A link that has broken tells paho only when the sender has stopped. Else a Publish
// that is just being handed over would wait for a reader that has gone, and Close with it.
package mqtt
