// Package provision gives a board that holds only the bootstrap certificate a
// credential and a registry entry of its own, if and only if a validation step says
// yes.
//
//	board ══mTLS══▶ Server ──Request──▶ Desk ──▶ caps ─▶ lists ─▶ claim ─▶ Webhook
//	        EST or JSON (RFC 7030)        │                                    │
//	              ▲                       ▼                                    ▼
//	              │                   Authority ──certificate──▶ Store: claim, device,
//	              └────────── answer ◀──────────────────────── credential and audit record,
//	                                                                 in one transaction
//
// Three kinds of certificate, from three roots, each good for one thing:
//
//	bootstrap   the same on every board of a profile    asks to be enrolled, nothing else
//	device      one board's; its key's public half is    proves the board here when it renews;
//	            the device's credential                  MQTT and HTTP are told a token, as ever
//	server      the gateway's                            pinned by boards beside the bootstrap
//
// A request is decided in this order, and the first no is the answer. It fails closed:
// what cannot be decided is refused for now (503), never granted.
//
//	profile      known, and the bootstrap certificate one of its own                 401
//	             enabled, the certificate not revoked                                403
//	request      key of an allowed kind, proof of possession, identifiers            400
//	caps         a certificate's, an address's, a serial prefix's rate; devices      429
//	deny list    by serial or MAC; deny wins                                         403
//	allow list   when lists are on; an empty one denies all; the unit's secret       403
//	claim        the same key: the same answer for ever; another key: by policy      409
//	webhook      ALLOW, DENY or PENDING; anything else is no answer                  403 202 503
//	commit       all of it again, under the claim's lock
//
// A claim is a (profile, serial):
//
//	        ALLOW                      first connection
//	none ──────────▶ claimed ────────────────────────────▶ active
//	 │  PENDING                                              ▲  │ renewal: a second
//	 ├──────────▶ pending ── approve ──▶ (asks again) ──▶ claimed │ credential, the first
//	 │                └───── deny ─────▶ denied                   ▼ goes when the new one is used
//	 └ reset, by an operator, makes it none: the device's credential goes with it
//
// What was granted, what waits and what operators do is in the audit log with what it
// changed. Of refusals that change nothing (400, 401, 403, 409, 429) it has the 1st, the
// 10th, the 100th and so on, of each profile and code, in an hour: at most 8 records an
// hour of each, whoever floods. A record that waits for a store that does not answer may
// be lost; 256 wait. The log has 60 lines a minute of each, and how many more there
// were; the metrics count all. A renewal is refused where its profile is disabled: its
// device goes on with the credential that it has.
//
// What may fail, and what then happens: a lost answer is asked for again with the same
// key and is the same, byte for byte. A certificate that was signed but not committed
// is worth nothing: a certificate counts only while a claim names it. A board that lost
// its key before it ever connected stays locked out until an operator resets the claim,
// unless its profile lets it replace a key that never connected. One whose profile has
// all keys made here asks for another key while none has connected.
package provision
