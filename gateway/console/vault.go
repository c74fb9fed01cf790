package console

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"iotbridge/internal/memo"
)

const (
	sessionLife = 12 * time.Hour
	maxLinkLife = time.Hour
	maxSealed   = 8 << 10 // a token of 4 KiB, sealed
	maxUsed     = 10_000  // links that are remembered
	maxCookie   = 4 << 10 // with its name: browsers keep no larger one
	keyWithin   = 10 * time.Second
)

// kind says what something was sealed for; it is good for nothing else.
type kind string

const (
	forCookie kind = "cookie"
	forLink   kind = "link"
)

// ticket is who signed in, and until when it counts.
type ticket struct {
	ID    string    `json:"i"`
	Token string    `json:"t"`
	Until time.Time `json:"u"`
}

var errSealed = errors.New("not sealed here, or not good any more")

// vault seals tickets with a key that all gateways of the store have: a session goes on
// at whichever of them the next request arrives.
type vault struct {
	key   atomic.Pointer[[]byte]
	asked memo.Memo[struct{}, []byte]

	mu   sync.Mutex
	used map[string]time.Time // links
}

// open reads the key, the first time that it is needed.
func (v *vault) open(ctx context.Context, fleet Fleet) error {
	if v.key.Load() != nil {
		return nil
	}
	key, err := v.asked.Answer(ctx, struct{}{}, memo.Terms{Good: time.Minute, Bad: time.Second}, func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, keyWithin)
		defer cancel()
		return fleet.Secret(ctx, "console_key")
	})
	if err == nil {
		v.key.Store(&key)
	}
	return err
}

// derive is a key for one purpose.
func (v *vault) derive(purpose string) []byte {
	h := hmac.New(sha256.New, *v.key.Load())
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// cookie is the name of the sessions' cookie: systems side by side on one host differ.
// Over TLS it is one that no other host of the domain can set.
func (v *vault) cookie(r *http.Request) string {
	name := "iotbridge-" + hex.EncodeToString(v.derive("cookie name")[:4])
	if r.TLS != nil {
		return "__Host-" + name
	}
	return name
}

// word is what a session's forms must carry.
func (v *vault) word(session string) string {
	return base64.RawURLEncoding.EncodeToString(v.derive("form " + session))
}

func (v *vault) aead(k kind) cipher.AEAD {
	block, err := aes.NewCipher(v.derive("seal " + string(k)))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (v *vault) seal(k kind, token string, life time.Duration) (string, ticket) {
	t := ticket{ID: rand.Text(), Token: token, Until: time.Now().Add(life)}
	text, _ := json.Marshal(t) // strings always can be
	aead := v.aead(k)
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, text, nil)), t
}

func (v *vault) unseal(k kind, sealed string) (t ticket, err error) {
	if len(sealed) > maxSealed {
		return ticket{}, errSealed
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	aead := v.aead(k)
	if err != nil || len(raw) < aead.NonceSize() {
		return ticket{}, errSealed
	}
	text, err := aead.Open(nil, raw[:aead.NonceSize()], raw[aead.NonceSize():], nil)
	if err != nil || json.Unmarshal(text, &t) != nil || time.Now().After(t.Until) {
		return ticket{}, errSealed
	}
	return t, nil
}

// spend takes a link, once.
func (v *vault) spend(t ticket) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, until := range v.used {
		if time.Now().After(until) {
			delete(v.used, id)
		}
	}
	if _, spent := v.used[t.ID]; spent || len(v.used) >= maxUsed {
		return false
	}
	if v.used == nil {
		v.used = map[string]time.Time{}
	}
	v.used[t.ID] = t.Until
	return true
}
