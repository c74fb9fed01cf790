// Package ingest is the worker: it moves messages from subscriptions into tables,
// trusts the attributes alone, and forgets a message only when a table or the
// quarantine has confirmed it.
//
//	 Source ──Delivery──▶ lane ──rows──▶ bucket ──batch──▶ writer ──rows──▶ Sink
//	(leases)             (gate)         (rows, bytes, age)  (verdict)       (table)
//	    ▲                   └─rejected──▶ bucket ──batch──▶ writer ──rows──▶ Sink
//	    └──────────────── Ack ◀── confirmed ────┴──────────────┘            (quarantine)
//
// A route is a subscription, a table and a quarantine. Its pull streams feed one
// lane: a goroutine that owns the two buckets. A bucket's batch is sent when it is
// full or old enough and the writer has a slot; until then it grows, so that a slow
// table makes larger batches. Nothing on this way waits for a table but the budget:
// what is pulled and not settled is bounded in messages and bytes, and at the bound
// no more is pulled. So a quarantine that is down does not stop the good rows.
//
// A writer sends one batch a slot and settles it by what the sink answers:
//
//	nil         durable: acknowledge
//	*RowErrors  those rows are suspects, the rest is sent again
//	*Refused    halved and sent again, down to the lone suspect
//	*Held       nobody's row is at fault: the worker is not ready, says why, backs
//	            off, keeps the leases, and goes on by itself when it heals
//	other       unknown whether stored: sent again. The only source of duplicates
//	            beside a lost lease or a lost ack; the message id tells them
//
// A suspect is convicted, and quarantined, when another row has passed since, or
// when the table's schema contains ours (and, if the answer did not name the row,
// another has ever passed). Else nobody can tell its fault from ours: it is held and
// tried again.
//
// What the quarantine's table does not take goes to the fallback topic, if one is
// given, and is done; if that fails too, or a row is refused there for good, it is
// held. The slots of a writer follow the service: half
// as many after a quota answer, one more after each round of successes.
//
// Run ends in order: no more pulls, buckets flushed, answers awaited, acks sent,
// and what is then still open handed back, all within the grace period.
package ingest
