// Package loadtest loads an MQTT server as a fleet of IoT Core's devices would, and
// measures how it does: each device with its own key and token over its own TLS
// connection, all publishing at QoS 1 at one rate together.
//
//	fleet ──connect, as fast as it goes or at a rate──▶ crowd ──publish──▶ window ──▶ Step
//	                                                      └──PUBACK──────────┘
//	silent sockets, which never speak, beside it ──▶ HalfOpen
//
// The load is open: a message is sent when it is due, whatever became of those
// before it, and a latency counts when its message was sent inside the window,
// however late the PUBACK came. A server that falls behind so shows it. Only a
// device with 32 messages without PUBACK leaves one out; those are counted.
//
// Boards without keys are another load: each asks once for its credential, on a
// connection of its own, so many at a time.
//
// The client speaks in bytes that were made beforehand, so that it takes less of a
// machine that it shares with the server. What it takes is part of the result: above
// the server's share it measures itself.
//
// Memory and CPU of the server are read from /proc, so they are known on Linux, for
// a process on this machine whose id is given.
package loadtest
