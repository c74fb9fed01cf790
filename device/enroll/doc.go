// Package enroll gives a device its credential: with the bootstrap certificate that all
// boards of a product share it asks the gateway for one of its own, and renews that one
// in time.
//
//	no key ─▶ key, CSR ══bootstrap══▶ gateway ──certificate, names──▶ the key's file
//	          NAME.next    JSON          ▲                             NAME
//	                                     │ EST, device certificate       │ 2/3 of its life
//	          NAME ◀── new key ◀═════════╧══════ NAME.next ◀─────────────┘
//	          NAME.old: the key before, until the gateway has let the new one in
//
// The key's file holds all that the device is: private key, certificate, the names that
// the gateway gave it, where it connects. It is there whole, with its last rename, or not
// at all; so a key never stands beside another key's certificate. NAME.next holds what
// is asked for: key, request and the request's id. It is on the disk, synced, before the
// gateway first hears of it, and is asked for again, the same, until it is answered.
//
//	NAME  NAME.next   what it is                          what is done
//	 no      no       a new board                         make NAME.next
//	 no      yes      asked, or about to                  ask, with this key
//	 yes     no       enrolled                            renew when it is time
//	 yes     yes      renewing; or done, if its key       ask, with this key; or remove it
//	                  is NAME's
//
// What may fail, and what then happens:
//
//	power, at any step      the same request again, or done: the server tells a repeated
//	                        request by its key
//	the answer is lost      the same request again, and the same certificate
//	202, 429, 503           Retry-After, 1 s to 24 h, and up to a tenth more
//	403, 409                an operator must act: 1 h, and up to a quarter more
//	anything else           full jitter, from 1 s up to 15 min
//	the clock               nothing is asked before it is plausible
//	NAME.next is damaged    its key can never be used: set aside, another is made
//	NAME is damaged         an error; what a device is, is not guessed
//	another board's card    NAME.next was for another serial: set aside, another is made
//	the certificate expired while the board was off
//	                        asks with the bootstrap certificate; the profile decides
//	the new key is refused  the key before is tried too, as long as NAME.old is there
//
// Only https to the pinned roots is spoken, without proxy and redirects. Answers are
// bounded, read strictly, and believed only for the key that was asked for.
package enroll
