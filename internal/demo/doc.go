// Package demo is a small fleet, and the books that show whether all that it sent
// arrived.
//
//	sensor ─▶ agent ─▶ tap ══MQTT, TLS══▶ gateway ─▶ Pub/Sub ─▶ worker ─▶ tables
//	           │ ▲      │ once confirmed                                     │
//	         spool      ▼                                                    ▼
//	                  Books ◀─────────────────── Reconcile ──────────── read back
//
// The devices run the agent's own code: each is registered, or has provisioned itself
// with the bootstrap certificate, and has a folder with its key and its spool, which the
// next run goes on with. One board more that has the certificate is on no list: the books
// say that it was refused, and has nothing. Most devices are honest; a spoofer's agent
// is set to claim another device's id. What no agent does, a malformed body now and
// then, the tap does between the agent and its session, at places that the reading's
// number decides: a reading that is sent again is spoilt again.
//
//	a device       leaves it when
//	measuring      it is told to stop, or its context ends
//	draining       the gateway has confirmed all that the spool holds; or refuses the
//	               device (it is blocked); or DrainTimeout is over; or the context ends
//	ended          its agent has ended and the spool is closed; what it still holds
//	               goes with the next run
//
// A message counts when the gateway has confirmed it. One whose confirmation was lost
// may arrive all the same; it is sent again, is then in the books, and its second row is
// a duplicate there. Reconciling passes over what is in no book, as over everything
// that other runs left behind.
package demo
