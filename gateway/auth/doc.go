// Package auth decides whether a token was signed with a device's key, and which
// keys a device may have.
//
//	token ─≤ 4 KiB─▶ form ─▶ claims ─▶ three signatures ─▶ expires, credential
//	                  │        │              │
//	                  └────────┴──────────────┴──▶ *gateway.Refusal with its reason
//
// Form and claims are the same for every device, so that nothing about devices can
// be learned from them. What comes after costs the same whether the device exists or
// not, and however many keys it has: a token that no key of the device has signed is
// always verified three times, with decoys for the keys that are not there. Only an
// RSA key that has not 2048 bits differs.
//
// The token's header chooses nothing: the algorithm is that of the stored key, kid
// is not followed, and any member beyond alg, typ and kid refuses. A signature is no
// identity of a token: ECDSA has two for each.
//
// A captured token serves until it expires, for its device alone; TLS keeps it from
// being captured.
//
// Keys are checked when they are registered. A stored one that does not pass
// ParseKey is no key. The end of a certificate counts at registration alone, that of
// a credential at each verification.
package auth
