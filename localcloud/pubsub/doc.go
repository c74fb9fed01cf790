// Package pubsub serves google.pubsub.v1 from one SQLite file: what a program needs
// that publishes and subscribes, with the service's own limits and errors. The stock
// Go clients work against it by PUBSUB_EMULATOR_HOST.
//
//	Publish ─────▶ writer ──one transaction──▶ messages ◀──┐
//	               (gathers)  for all that wait  pending ───┴─window──▶ subscription ──▶ StreamingPull, Pull
//	Acknowledge ──▶   │                            ▲                     (leases)             │
//	                  └────────────────────────────┘◀─────────── ack ids ─────────────────────┘
//
// The file is the truth: a message is a row, and a row in pending for each
// subscription that has not acknowledged it. Publish and Acknowledge answer after
// the commit that holds them. One goroutine writes, and commits together what
// gathered meanwhile; when a commit fails, every request in it fails, and nothing of
// them is in the file.
//
// A subscription keeps in memory a window of what comes next (1,000 messages, 4 MiB)
// and an entry without payload for each delivered one. An entry is
//
//	fresh ──▶ leased ──▶ acknowledged
//	            │ ▲
//	 deadline or│ │deliver
//	        nack▼ │
//	      (backoff)──▶ again
//
// Leases are of this process: after a restart all that is pending is deliverable,
// and attempts are counted from the start. Nothing ticks for them: those who take
// messages end the leases whose time has come, and those who wait sleep until the
// next one. With 200,000 messages delivered and not acknowledged, a subscription
// gives no fresh ones until some are.
//
// What may be lost, and when. kill -9: nothing that was answered. A power cut: the
// commits of the last moments, unless Options.Durable syncs each one; never the
// soundness of the file. An acknowledgement whose answer was lost may have happened
// or not. A full disk or a foreign lock fails requests with UNAVAILABLE and one
// sentence, and heals by itself. The file does not shrink; room is used again.
//
// Differences from the service: no filters, push, export, snapshots, schemas or
// transforms: refused with UNIMPLEMENTED, never ignored. Of an ordering key one
// message is under way at a time, and a key that is stuck with more than a window
// of messages holds up the other keys. Expiration policies are kept and not applied.
// A dead-letter topic that is gone holds the message back, tried every minute.
//
// Faults (Options.Faults) are asked by the name of the unary method, "Publish",
// "Acknowledge", "CreateTopic" and so on, and for streams by
//
//	StreamingPull.open     the first request, before anything is done
//	StreamingPull          each response with messages; After without Err loses it
//	StreamingPull.request  each later request, before it is applied
//
// A rule with After and without Err lets the work be done and the answer never come.
package pubsub
