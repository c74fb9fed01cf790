// Package mqtt is the door for devices: MQTT 3.1.1 over TLS, as IoT Core spoke it.
// It is no broker. There is no way from one device to another, nothing is retained,
// no session outlives its connection, and a will is refused.
//
//	accept ─▶ TLS, CONNECT ─▶ Admit ─▶ Claim ─▶ CONNACK ─▶ session ─▶ closed
//	             │ 10 s in all                               │
//	             └─▶ closed, or CONNACK 1, 2, 3, 5           └ one goroutine reads
//
//	device ──PUBLISH──▶ session ──Telemetry──▶ Pub/Sub
//	       ◀──PUBACK── writers ◀── pending ◀──done──┘
//
// A session reads, and hands telemetry on without waiting: up to Limits.Inflight
// messages are on their way at a time. When there is no room, or the device is over
// its rate, nothing more is read until there is; TCP tells the device. A PUBACK is
// queued when Pub/Sub has confirmed the message and those before it were confirmed,
// too. What is queued is written by a few writers that all sessions share, so that a
// session is one goroutine with a small stack and one buffer of 1 KiB.
//
// A session speaks for its own device and, being a gateway's, for those attached to
// it: each is a voice. A device has one voice in all gateways, that of the latest
// claim; the one before is silenced: a device's own session is closed, an attached
// device is detached.
//
// What may fail:
//
//	Pub/Sub does not take a message   closed without a PUBACK of it; the device sends
//	                                  it again. With QoS 0 it is lost
//	Pub/Sub does not answer           nothing more is read once the room is taken
//	the store, at CONNECT             CONNACK 3: the device tries again; one that was let
//	                                  in here within a minute is let in by that
//	the store, for a state            closed without a PUBACK
//	the store, for a config           asked again every 5 s
//	a config is not acknowledged      sent again after 20 s, and at each subscription
//	a device does not read            closed when 1 MiB waits for it, or 20 s have passed
//	a change that was noticed, and    closed after 2 s; after a minute, when nothing
//	the store does not say which      says that this device was changed
//	no file descriptors               accepted again after 5 ms to 1 s
//	ctx ends                          no more is accepted or read; what is in flight is
//	                                  confirmed within Limits.Grace, then all is closed
//
// Why a session ended is counted, logged as far as the device's log level says, and
// kept as its lastErrorStatus when it was an error.
//
// The codec is mochi-mqtt's packets; what of it is too kind is refused here: trailing
// bytes, five bytes of length, empty filters, a will, and all of MQTT 5.
package mqtt
