package auth_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

// FuzzToken: what we accept, golang-jwt accepts too; all else is refused for one of
// the reasons.
func FuzzToken(f *testing.F) {
	d := ecDevice()
	whole := d.token()
	for _, seed := range []string{
		whole, "", "..", "a.b.c", whole + "==", whole + "\n", strings.Replace(whole, ".", "=.", 1), whole[:40], whole + ".a", d.tokenOf(auth.MaxToken),
		d.sign(`{"alg":"none"}`, good), rsaDevice().token(), d.sign(d.header(), edit("{", `{"a":[{"b":"ü"}],`)), d.sign(d.header(), claims(now, now)),
	} {
		f.Add([]byte(seed))
	}
	keys := []gateway.Credential{rsaDevice().Credential, d.Credential}
	v := new(auth.Verifier)
	f.Fuzz(func(t *testing.T, text []byte) {
		before := string(text)
		_, credential, err := v.Verify(text, project, keys, now)
		if string(text) != before {
			t.Fatal("the token was changed")
		}
		if refused(t, err) {
			return
		}
		_, err = jwt.NewParser(jwt.WithPaddingAllowed(), jwt.WithStrictDecoding(), jwt.WithValidMethods([]string{"ES256", "RS256"}),
			jwt.WithAudience(project), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(auth.Skew), jwt.WithTimeFunc(func() time.Time { return now }),
		).Parse(string(text), func(*jwt.Token) (any, error) { return []*device{rsaDevice(), d}[credential].private.Public(), nil })
		if err != nil {
			t.Fatalf("golang-jwt refuses what we accept: %v", err)
		}
	})
}

// FuzzHeader: a header that is signed by the device's key is accepted only if
// nothing but alg, typ and kid is in it, whoever reads it.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{
		`{"alg":"ES256","typ":"JWT"}`, `{"alg":"ES256","kid":"../../x"}`, `{"alg":"ES256","crit":["exp"]}`, `{"alg":"none"}`, `{"alg":"ES256","ALG":"none"}`,
		`{"alg":"ES256","jwk":{}}`, `{"alg":"ES256","kid":1}`, `{"\u0061lg":"ES256"}`, `[]`, `{"alg":`, "{\"alg\":\"ES256\",\"kid\":\"\xff\"}",
	} {
		f.Add(seed)
	}
	keys := []gateway.Credential{ecDevice().Credential}
	f.Fuzz(func(t *testing.T, header string) {
		_, _, err := new(auth.Verifier).Verify([]byte(ecDevice().sign(header, good)), project, keys, now)
		if refused(t, err) {
			return
		}
		read := map[string]any{}
		if err := json.Unmarshal([]byte(header), &read); err != nil {
			t.Fatal(err)
		}
		alg := read["alg"]
		delete(read, "alg")
		delete(read, "typ")
		delete(read, "kid")
		if alg != "ES256" || len(read) != 0 {
			t.Fatalf("accepted with alg %q and %q", alg, read)
		}
	})
}

// FuzzClaims: claims that are signed by the device's key are accepted only if a lax
// reader, who takes the last of equal names in any case, finds the same in them.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		good, claims(now, now), edit("{", `{"AUD":"x",`), edit("{", `{"nbf":9e99,"a":[[{"b":null}]],`), `{}`, `{"aud":["my-project"],"iat":1700000000,"exp":1700000000}`,
		`{"aud":"my-project","iat":1.7e9,"exp":1700000000.999999999}`, `{"aud":"my-project","iat":1700000000,"exp":1e999}`,
	} {
		f.Add(seed)
	}
	keys := []gateway.Credential{ecDevice().Credential}
	f.Fuzz(func(t *testing.T, body string) {
		expires, _, err := new(auth.Verifier).Verify([]byte(ecDevice().sign(ecDevice().header(), body)), project, keys, now)
		if refused(t, err) {
			return
		}
		var read struct {
			Aud      string
			Iat, Exp float64
		}
		if err := json.Unmarshal([]byte(body), &read); err != nil {
			t.Fatal(err)
		}
		at, skew := float64(now.Unix()), auth.Skew.Seconds()
		if read.Aud != project || read.Exp < at-skew || read.Iat > at+skew || read.Exp-read.Iat > (auth.MaxLifetime+auth.Skew).Seconds()+1e-6 {
			t.Fatalf("accepted: %+v", read)
		}
		if d := float64(expires.UnixMicro())/1e6 - read.Exp; d < -1e-5 || d > 1e-5 {
			t.Fatalf("expires %v, exp %v", expires, read.Exp)
		}
	})
}

// FuzzKey: what is a key is one in one format only, and stays what it is.
func FuzzKey(f *testing.F) {
	f.Add(ecDevice().PEM)
	f.Add(rsaDevice().PEM)
	f.Add(ecDevice().PEM + ecDevice().PEM)
	f.Add("-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----")
	f.Add(certificateSeed)
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		detected, err := auth.DetectFormat(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
				t.Fatalf("not one short line: %q", err)
			}
			detected = 0
		}
		for _, format := range formats {
			c := gateway.Credential{Format: format, PEM: text}
			key, err := auth.ParseKey(format, text)
			if (err == nil) != (format == detected) {
				t.Fatalf("format %d, detected %d: %v", format, detected, err)
			}
			if _, registerErr := auth.Register(c, []string{certificateSeed, text}, now); registerErr == nil && err != nil {
				t.Fatal("registered, and no key")
			}
			if err != nil {
				continue
			}
			again, err := auth.DetectFormat(publicPEM(key.Public))
			if err != nil || (again == gateway.RSAPEM) != (key.Algorithm() == "RS256") {
				t.Fatalf("its bare key: format %d, %v", again, err)
			}
		}
		if _, err := auth.RegisterAuthority(text, now); err == nil && detected != gateway.RSAX509 && detected != gateway.ES256X509 {
			t.Fatal("an authority, and no certificate")
		}
	})
}

// refused reports whether err is one, and fails the test if it is none of ours.
func refused(t *testing.T, err error) bool {
	t.Helper()
	if err == nil {
		return false
	}
	var refusal *gateway.Refusal
	if !errors.As(err, &refusal) || refusal.Fault || !slices.Contains(gateway.Reasons, refusal.Reason) {
		t.Fatalf("not a refusal of the closed set: %#v", err)
	}
	return true
}

// certificateSeed is an authority's, from 2026 on, whose private key was never kept.
const certificateSeed = `-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUJzPOpV85iHulbrGwgkppiTEcAvkwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGdW51c2VkMCAXDTI2MTEyMzA4NDIzNFoYDzIxMjYxMDMwMDg0
MjM0WjARMQ8wDQYDVQQDDAZ1bnVzZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQOPUC3FywRxl3Jreg8pLxoD00zL8mED78eKrKdURd/N6zTjnF7EC/05M8y1u8C
Sl14yZo987onSlgIj0REnGRHo1MwUTAdBgNVHQ4EFgQU+TaDRONMcuNLerGh4qDe
hgMG3hAwHwYDVR0jBBgwFoAU+TaDRONMcuNLerGh4qDehgMG3hAwDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiATe1h8XpQSXVpzw+41+lPtzSQo0AHQ
wh+6IO9Vq5ssYgIgZ3s8SrtWR5AdBl62NU4bYEdHShNUjlXgvl6Ipy2HCOU=
-----END CERTIFICATE-----`
