package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

const project = "my-project"

// now is when all tests happen.
var now = time.Unix(1_700_000_000, 0)

// device has a key pair and its credential.
type device struct {
	method  jwt.SigningMethod
	private crypto.Signer
	gateway.Credential
}

var (
	ecDevice  = newDevice(jwt.SigningMethodES256, p256("device1"))
	ecOther   = newDevice(jwt.SigningMethodES256, p256("device2"))
	rsaDevice = newDevice(jwt.SigningMethodRS256, func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })
)

// p256 makes the same key in all processes of a fuzz run.
func p256(name string) func() (crypto.Signer, error) {
	return func() (crypto.Signer, error) {
		scalar := sha256.Sum256([]byte(name))
		return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	}
}

func newDevice(method jwt.SigningMethod, generate func() (crypto.Signer, error)) func() *device {
	return sync.OnceValue(func() *device {
		private, err := generate()
		if err != nil {
			panic(err)
		}
		format := gateway.ES256PEM
		if method == jwt.SigningMethodRS256 {
			format = gateway.RSAPEM
		}
		return &device{method, private, gateway.Credential{Format: format, PEM: publicPEM(private.Public())}}
	})
}

func publicPEM(public crypto.PublicKey) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return pemOf("PUBLIC KEY", der)
}

// derOf is what a PEM block holds.
func derOf(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	return block.Bytes
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign makes a token of any header and claims.
func (d *device) sign(header, claims string) string {
	return d.signOver(b64(header) + "." + b64(claims))
}

func (d *device) signOver(signed string) string {
	signature, err := d.method.Sign(signed, d.private)
	if err != nil {
		panic(err)
	}
	return signed + "." + b64(string(signature))
}

func (d *device) header() string { return fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, d.method.Alg()) }

// token is a good one, of an hour.
func (d *device) token() string { return d.sign(d.header(), good) }

// tokenOf is a good one of n bytes.
func (d *device) tokenOf(n int) string {
	token := d.token()
	signature := len(token) - strings.LastIndexByte(token, '.')
	for kid := range n {
		header := fmt.Sprintf(`{"alg":%q,"kid":%q}`, d.method.Alg(), strings.Repeat("k", kid))
		for space := range 3 { // base64 does not have all lengths
			if signed := b64(header) + "." + b64(good+strings.Repeat(" ", space)); len(signed)+signature == n {
				return d.signOver(signed)
			}
		}
	}
	panic("no such length")
}

var good = claims(now, now.Add(time.Hour))

func claims(iat, exp time.Time) string {
	return fmt.Sprintf(`{"aud":%q,"iat":%d,"exp":%d}`, project, iat.Unix(), exp.Unix())
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func verify(token string, keys ...gateway.Credential) (time.Time, int, error) {
	return new(auth.Verifier).Verify([]byte(token), project, keys, now)
}

// accepts fails the test unless one of the keys verifies the token.
func accepts(t *testing.T, name, token string, keys ...gateway.Credential) {
	t.Helper()
	if _, _, err := verify(token, keys...); err != nil {
		t.Errorf("%s: refused: %v", name, err)
	}
}

// refuses fails the test unless the token is refused, as the device's fault, for the
// reason.
func refuses(t *testing.T, name string, reason gateway.Reason, token string, keys ...gateway.Credential) {
	t.Helper()
	expires, credential, err := verify(token, keys...)
	var refusal *gateway.Refusal
	if !errors.As(err, &refusal) || !expires.IsZero() || credential != -1 {
		t.Errorf("%s: accepted until %v with %d, %v; want refused", name, expires, credential, err)
		return
	}
	if refusal.Reason != reason || refusal.Fault {
		t.Errorf("%s: refused for %s (fault %t), want %s", name, refusal.Reason, refusal.Fault, reason)
	}
}

// edit returns the good claims with one piece replaced.
func edit(old, replacement string) string {
	if strings.Count(good, old) != 1 {
		panic(old)
	}
	return strings.Replace(good, old, replacement, 1)
}
