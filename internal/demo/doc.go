// Package demo is a small fleet as its gateway would pass it on, and the books that
// show whether all of it arrived.
//
//	Fleet ──message──▶ Publisher ──▶ Pub/Sub ──▶ worker ──▶ tables
//	                       │ id, once confirmed               │
//	                       ▼                                  ▼
//	                     Books ◀────────── Reconcile ──── read back
//
// The publisher is trusted: it sets and signs the attributes. Most of its devices are
// honest, spoofers put another device's id into the body, and every device's body is
// now and then malformed, at places that can be counted beforehand.
//
// A message counts when Pub/Sub has confirmed it. One whose confirmation was lost may
// arrive all the same: it is in no book, and reconciling passes over it, as over
// everything that other runs left behind.
package demo
