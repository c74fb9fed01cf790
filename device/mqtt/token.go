package mqtt

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// token is a JWT as IoT Core wants it: aud, iat and exp, whole seconds.
func (k *Key) token(project string, now time.Time, lifetime time.Duration) (string, error) {
	// A map, for aud must be a string: RegisteredClaims would write a list.
	claims := jwt.MapClaims{"aud": project, "iat": now.Unix(), "exp": now.Add(lifetime).Unix()}
	text, err := jwt.NewWithClaims(k.method, claims).SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("signing a token with %s: %w", k.path, err)
	}
	return text, nil
}

// renewal is when a token of this lifetime wants to be followed by another: at nine
// tenths, give or take a twentieth, so that a fleet that was let in together does not
// come back together.
func renewal(lifetime time.Duration) time.Duration {
	return lifetime*85/100 + rand.N(lifetime/10) //nolint:gosec // jitter need not be secret
}
