// Package demo is a small fleet, and the books that show whether all that it sent
// arrived.
//
//	Fleet ──message──▶ Device ══MQTT, TLS══▶ gateway ─▶ Pub/Sub ─▶ worker ─▶ tables
//	                     │ once confirmed                                     │
//	                     ▼                                                    ▼
//	                   Books ◀─────────────────── Reconcile ──────────── read back
//
// The devices are real ones: registered, each with a key of its own, and let in with a
// token that it signed. Most are honest, spoofers put another device's id into the
// body, and every device's body is now and then malformed, at places that can be
// counted beforehand.
//
// A message counts when the gateway has confirmed it. One whose confirmation was lost
// may arrive all the same: it is in no book and is not sent again, and reconciling
// passes over it, as over everything that other runs left behind.
package demo
