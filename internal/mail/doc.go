// Package mail looks at what waits in a Pub/Sub subscription, and hands it back.
//
//	waiting ──Pull──▶ leased ──Settle, not taken──▶ waiting
//	                     └──── Settle, taken ─────▶ gone
//
// What is leased comes to nobody else. So a look is short, bounded in messages and
// bytes, and goes to its end even when who asked has gone: a pull that is given up in
// the middle may have been answered, and what it was given would stay leased, unseen,
// until the subscription's deadline has passed.
//
// What handing back does not undo: the subscription counts a delivery, and where it has
// a dead-letter topic, enough of these send a message there. A subscription that
// delivers in order begins again with the first that came back.
//
// What may fail, and what then happens: Pub/Sub does not answer, or the program may not
// pull there: an error, in words. What could not be handed back comes again when its
// deadline has passed.
package mail
