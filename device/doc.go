// Package device is the agent's idea: a reading is measured, kept, sent, and
// forgotten once the gateway has confirmed it, in this order and never another.
//
//	Sensor ──Sample──▶ sampler ──Append──▶ Spool ──Next──▶ sender ══Publish══▶ Uplink
//	                      │ fresh sequence numbers ──────────▶│  ▲                  │
//	                      │                                   │  └─── confirmed ────┤
//	                      ▼                                   ▼                     │
//	                    ring (the disk takes nothing)      Spool.Ack                │
//	   settings ◀── config, commands ◀──────────────────────────────── Inbox ◀─────┘
//
// One goroutine samples, one sends, and neither waits for the other. The sampler
// takes a reading each interval, stamps it with the wall clock and with the time since
// boot, and appends it; when Append has returned, the reading survives a power cut.
// The sender keeps a window of unconfirmed messages: readings that were just taken go
// first, the backlog follows at a bounded rate, oldest first.
//
//	state of the link     leaves it when
//	waiting for time      the wall clock is plausible: no token is made before
//	connecting            the gateway lets us in, or refuses (fast or slow back-off)
//	sending               the session ended, or its token wants renewal
//	settling              all that is under way is confirmed; then connecting
//
// A reading's name is its reading_id: the spool's stream, then a sequence number that
// is never used twice. A copy that was sent again has the same name, so the warehouse
// shows one. A stream is random and belongs to one spool on one machine.
//
// What may fail, and what then happens:
//
//	sensor        the probe's error is counted, the others go on, the next interval tries again
//	disk full     the oldest go (or sampling pauses, as set); which ones is told upstream
//	disk dead     readings go to a ring in memory, under a stream of its own
//	network       readings stay in the spool; back-off with full jitter
//	clock         readings are taken all the same, and stamped anew once the time is known
//	CONNACK 3     the gateway's own trouble: tried again soon; 4 and 5: slowly
//
// Nothing that comes from outside is executed: configuration is parsed, clamped to
// what the machine's owner allows, and answered through state; commands are three words.
package device
