// Package pubsub is the worker's source: one subscription, pulled over streams
// whose responses stay bytes.
//
//	StreamingPull ──frame──▶ deliver            (the worker settles, in any order)
//	  ×N streams      │                              │
//	                  ▼                     Ack │    │ Return
//	              open frames ◀─────────────────┴────┘
//	                  │ after 1 s, then each half   │ 1000 ids, or 10 ms
//	                  │ of a lease                  │
//	                  ▼                             ▼
//	          ModifyAckDeadline 60 s     Acknowledge ×2, ModifyAckDeadline 0
//
// A frame is one response. It owns its bytes until all its messages are settled;
// messages are views into it, and a settlement copies nothing but the ack id into
// the request that will carry it. So a message costs no allocation, no goroutine
// and no map entry. The bytes are then used for the next frame: a view that is kept
// after its message was settled shows another message.
//
// A message is
//
//	waiting   the service has it. Streams read only while the budget has credit
//	open      delivered; its lease is extended after 1 s, and whenever half of it
//	          is over
//	settled   in a request; the lease is left to itself, the credit not yet back
//	gone      the request was answered, or given up: the credit is back
//
// What may fail:
//
//	a stream          opened again, after 100 ms to 10 s; open messages stay open
//	                  and are settled by calls of their own
//	no stream         NOT_FOUND and denial hold the source at once, anything else
//	                  after 10 s; a stream that is served clears it
//	a silent stream   ended 15 s after a ping that a service that answers pings
//	                  did not answer
//	a malformed frame ends its stream; its leases lapse and it comes again
//	an extension      tried again after an eighth of the deadline
//	a settlement      sent again while a lease in it lives, then given up: the
//	                  message comes again, and is a duplicate if it was stored. The
//	                  same if the lease of an exactly-once message was lost
package pubsub
