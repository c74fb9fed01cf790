// Package pubsub publishes what devices send, in batches a topic, and says of each
// message whether the service has it.
//
//	Publish ──▶ lane (a topic): batch ──every 5 ms, to a free slot──▶ Publish RPC ──▶ Pub/Sub
//	   │                          │ grows while no slot is free           │
//	   └─ErrBusy beyond the bounds                                        └─▶ done, message by message
//
// A batch is encoded as its messages come, straight into the request's bytes, and
// these are what is sent, again and again until an answer is final:
//
//	all ids              done(nil) for each message
//	UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, INTERNAL, UNKNOWN, CANCELLED,
//	RESOURCE_EXHAUSTED   sent again with growing pauses. Its messages may then be in
//	                     the topic twice
//	anything else        the topic is held: not ready, and why, at once; sent again
//	                     likewise
//
// After GiveUp each message of it gets done(err), and whoever sent it must send it
// again. That a message was confirmed and is not in the topic cannot be; that it is
// there and was not confirmed can.
//
// At most 16 requests are under way to a topic, and all that was published and not
// answered is bounded in messages and bytes; a topic has at most half of it, so that
// one that hangs leaves room for the others. A held topic is ready again when a
// request succeeds or, while nothing is published to it, when the service says that
// it is there and may be published to.
//
// BenchmarkPublish, two busy cores shared with the server that it measures too, CPU
// time a message at 5,000 and 20,000 a second: ours 36 and 13 µs, the generated client
// with batches made elsewhere 37 and 14, the high-level client 45 and 16, pacing alone
// 7 and 2. Most of it is waking up 200 times a second; by these wake-ups, and by the
// goroutine and the channel that the high-level client has for each message, they
// differ.
package pubsub
