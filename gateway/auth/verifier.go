package auth

import (
	"crypto"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
)

// MaxTries is how many live credentials of a device are tried, and how many
// signatures are verified before any token is refused for its signature or its key.
const MaxTries = 3

// maxParsed bounds the parsed keys that are remembered, in each of two generations.
const maxParsed = 4096

// Verifier is a gateway.Verifier of the tokens that IoT Core's devices sign. The
// zero value is ready for use, by several goroutines.
type Verifier struct {
	mu     sync.Mutex
	parsed recent[[sha256.Size]byte, parsedKey]
}

var _ gateway.Verifier = (*Verifier)(nil)

// parsedKey is what verifying needs of a credential.
type parsedKey struct {
	algorithm string
	public    crypto.PublicKey
}

// try is a key to verify with. One that is not the device's has credential -1: it
// costs what a key costs, and admits nobody.
type try struct {
	public     crypto.PublicKey
	credential int
}

// Verify is gateway.Verifier's. A device that is unknown has no keys: it is refused
// at the price of one whose signature is wrong.
func (v *Verifier) Verify(text []byte, project string, keys []gateway.Credential, now time.Time) (expires time.Time, credential int, err error) {
	t, err := parse(text)
	if err != nil {
		return time.Time{}, -1, err
	}
	if err := t.claims.check(project, now); err != nil {
		return time.Time{}, -1, err
	}
	tries, reason := v.tries(t.algorithm, keys, now)
	method := methods[t.algorithm]
	for _, k := range tries {
		if method.Verify(t.signed, t.signature, k.public) == nil && k.credential >= 0 {
			return t.claims.expires, k.credential, nil
		}
	}
	return time.Time{}, -1, refuse(reason)
}

// methods are the algorithms that IoT Core had.
var methods = map[string]jwt.SigningMethod{
	es256: jwt.SigningMethodES256,
	rs256: jwt.SigningMethodRS256,
}

// tries are the device's live keys for an algorithm, made up with decoys, and why
// the token is refused if none of them has signed it.
func (v *Verifier) tries(algorithm string, keys []gateway.Credential, now time.Time) (tries [MaxTries]try, reason gateway.Reason) {
	for i := range tries {
		tries[i] = try{decoys()[algorithm], -1}
	}
	live, fit := 0, 0
	reason = gateway.NoKey
	for i, c := range keys {
		if !c.Expires.IsZero() && !now.Before(c.Expires) {
			reason = gateway.KeyExpired
			continue
		}
		key, err := v.parse(c)
		if err != nil {
			continue // it was registered by other rules than ours: it is no key
		}
		if live++; live > MaxTries {
			break
		}
		if key.algorithm == algorithm {
			tries[fit] = try{key.public, i}
			fit++
		}
	}
	switch {
	case fit > 0:
		reason = gateway.BadSignature
	case live > 0:
		reason = gateway.TokenAlgorithm
	}
	return tries, reason
}

// parse returns a credential's key, parsed once for many tokens.
func (v *Verifier) parse(c gateway.Credential) (parsedKey, error) {
	sum := sha256.Sum256(append([]byte{byte(c.Format)}, c.PEM...))
	v.mu.Lock()
	parsed, ok := v.parsed.get(sum)
	v.mu.Unlock()
	if ok {
		return parsed, nil
	}
	key, err := ParseKey(c.Format, c.PEM)
	if err != nil {
		return parsedKey{}, err
	}
	parsed = parsedKey{key.Algorithm(), key.Public}
	v.mu.Lock()
	v.parsed.put(sum, parsed, maxParsed)
	v.mu.Unlock()
	return parsed, nil
}

func refuse(reason gateway.Reason) error { return &gateway.Refusal{Reason: reason} }
