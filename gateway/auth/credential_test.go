package auth_test

import (
	"fmt"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

func TestJ12_TokenOfAnotherDevice(t *testing.T) {
	refuses(t, "another device of the project", gateway.BadSignature, ecDevice().token(), ecOther().Credential)
	refuses(t, "one with other algorithms", gateway.TokenAlgorithm, ecDevice().token(), rsaDevice().Credential)
	for _, keys := range [][]gateway.Credential{{ecDevice().Credential}, {ecOther().Credential}, nil} {
		_, _, err := new(auth.Verifier).Verify([]byte(ecDevice().token()), "other-project", keys, now)
		if reasonOf(err) != gateway.TokenAudience {
			t.Errorf("another project: %v", err)
		}
	}
}

func TestJ13_CredentialThatIsOver(t *testing.T) {
	until := func(d *device, expires time.Time) gateway.Credential {
		c := d.Credential
		c.Expires = expires
		return c
	}
	token := ecDevice().token()
	accepts(t, "a second left", token, until(ecDevice(), now.Add(time.Second)))
	refuses(t, "expired now", gateway.KeyExpired, token, until(ecDevice(), now))
	refuses(t, "expired", gateway.KeyExpired, token, until(ecDevice(), now.Add(-time.Hour)))
	refuses(t, "expired, another lives", gateway.BadSignature, token, until(ecDevice(), now.Add(-time.Hour)), ecOther().Credential)
	refuses(t, "the device made again with another key", gateway.BadSignature, token, ecOther().Credential)
	refuses(t, "all keys removed", gateway.NoKey, token)

	old := until(ecOther(), now.Add(-time.Hour))
	_, credential, err := verify(token, old, old, old, old, ecDevice().Credential)
	if err != nil || credential != 4 {
		t.Errorf("four expired before it: %d, %v", credential, err)
	}
	other := ecOther().Credential
	accepts(t, "the third live one", token, other, other, ecDevice().Credential)
	refuses(t, "the fourth live one", gateway.BadSignature, token, other, other, other, ecDevice().Credential)
}

func TestJ14_Replay(t *testing.T) {
	v, token, keys := new(auth.Verifier), []byte(ecDevice().token()), []gateway.Credential{ecDevice().Credential}
	exp := now.Add(time.Hour)
	for _, at := range []time.Time{now, now, exp, exp.Add(auth.Skew)} {
		if expires, _, err := v.Verify(token, project, keys, at); err != nil || !expires.Equal(exp) {
			t.Errorf("at %v: until %v, %v", at, expires, err)
		}
	}
	if _, _, err := v.Verify(token, project, keys, exp.Add(auth.Skew+1)); reasonOf(err) != gateway.TokenExpired {
		t.Errorf("after its end: %v", err)
	}
	if _, _, err := v.Verify(token, project, []gateway.Credential{ecOther().Credential}, now); reasonOf(err) != gateway.BadSignature {
		t.Errorf("for another device: %v", err)
	}
}

// A stored key that ParseKey refuses admits nobody, and stands in no other's way.
func TestBrokenStoredKey(t *testing.T) {
	swapped := gateway.Credential{Format: gateway.RSAPEM, PEM: ecDevice().PEM}
	for name, broken := range map[string]gateway.Credential{
		"empty":        {},
		"wrong format": swapped,
		"cut":          {Format: gateway.ES256PEM, PEM: ecDevice().PEM[:90]},
		"long":         {Format: gateway.ES256PEM, PEM: ecDevice().PEM + string(make([]byte, auth.MaxPEM))},
	} {
		refuses(t, name, gateway.NoKey, ecDevice().token(), broken)
		accepts(t, name, ecDevice().token(), broken, broken, broken, ecDevice().Credential)
	}
}

// The same text in another format is another key: what was parsed once is not
// mistaken for it.
func TestParsedKeysAreKeptApart(t *testing.T) {
	v := new(auth.Verifier)
	for range 2 {
		for _, format := range []gateway.KeyFormat{gateway.ES256PEM, gateway.RSAPEM, gateway.ES256X509, gateway.RSAX509} {
			c := gateway.Credential{Format: format, PEM: ecDevice().PEM}
			_, _, err := v.Verify([]byte(ecDevice().token()), project, []gateway.Credential{c}, now)
			if (err == nil) != (format == gateway.ES256PEM) {
				t.Errorf("format %d: %v", format, err)
			}
		}
	}
}

func TestSamplesOfGoogle(t *testing.T) {
	// The Embedded C SDK pads, in all segments.
	pad := func(s string) string {
		for len(s)%4 != 0 {
			s += "="
		}
		return s
	}
	d := ecDevice()
	header, body := pad(b64(d.header())), pad(b64(good+" "))
	if header+body == b64(d.header())+b64(good+" ") {
		t.Fatal("test: nothing to pad")
	}
	signature, err := d.method.Sign(header+"."+body, d.private)
	if err != nil {
		t.Fatal(err)
	}
	accepts(t, "padded", fmt.Sprintf("%s.%s.%s", header, body, pad(b64(string(signature)))), d.Credential)
	accepts(t, "padded but for the signature", fmt.Sprintf("%s.%s.%s", header, body, b64(string(signature))), d.Credential)
	for _, token := range []string{header + "=." + body + "." + b64(string(signature)), header + "." + body + "." + b64(string(signature)) + "="} {
		refuses(t, "padded wrongly", gateway.TokenMalformed, token, d.Credential)
	}
	accepts(t, "Python's float dates", d.sign(d.header(), fmt.Sprintf(`{"iat": %d.731, "exp": %d.731, "aud": %q}`, now.Unix(), now.Unix()+3600, project)), d.Credential)
}
