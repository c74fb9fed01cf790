// Package device is the agent's idea: a reading is measured, kept, sent, and
// forgotten once the gateway has confirmed it, in this order and never another.
//
//	Sensor ─▶ sampler ─▶ keeper ──Append──▶ Spool ──Next──▶ sender ══Publish══▶ Uplink
//	             ▲          │ fresh numbers ─────── lane ──────▶│ ▲                  │
//	             │          │                                   │ └─── confirmed ────┤
//	             │          ▼                                   ▼                    │
//	             │        ring (the disk takes nothing)      Spool.Ack               │
//	          control ◀── config, commands ◀────────────────────────────── Inbox ◀───┘
//
// One goroutine samples, one keeps, one sends, and none waits for another. The sampler
// takes a reading each interval and stamps it with the wall clock and with the time
// since boot. The keeper appends it; when Append has returned, the reading survives a
// power cut. The sender keeps a window of unconfirmed messages: readings that were just
// taken go first, the ring's and then the spool's backlog follow at a bounded rate,
// oldest first, and an eighth of the window stays free for live ones.
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
//	disk full     the oldest go; or, as set, they stay, and what is new has the ring
//	              alone. Which ones are lost is told upstream
//	disk slow     up to 64 readings wait for it, further ones go to the ring
//	disk dead     readings go to a ring in memory, under a stream of its own; the disk is
//	              tried again after 1 s, then up to 30 s. What nobody has seen of the ring
//	              is moved to the spool when the disk is well again, or Run ends
//	Ack fails     the reading is not sent again, the spool is asked again; past 1,024 of
//	              them the backlog waits
//	bad record    reported as a gap; one of another version stays where it is
//	network       readings stay in the spool; back-off with full jitter
//	no PUBACK     after AckTimeout the session is given up; what was live goes first again
//	clock         readings are taken all the same; "restamped" from the time since boot
//	              once the time is known in that boot, "unsynced" if it never was,
//	              "stepped" when the clock has jumped since the reading before
//	CONNACK 3     the gateway's own trouble: tried again soon; 4 and 5: slowly
//
// A copy that was sent again is alike to the byte, with one exception: a restamped
// reading whose confirmation was lost, sent again after the program was started anew. Its
// time is then told as well as the new run knows it.
//
// Nothing that comes from outside is executed: configuration is parsed, clamped to
// what the machine's owner allows, and answered through state; commands are three words.
package device
