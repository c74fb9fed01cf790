package canary_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	"iotbridge/internal/canary"
)

func TestAKeyIsFoundInWhateverFormItIsWritten(t *testing.T) {
	for range 50 { // a scalar may begin with zeros, and base64 at any bit
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		sec1, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		text := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
		escaped, err := json.Marshal(map[string]string{"privateKey": text})
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{
			string(pkcs8), string(sec1), text, string(escaped), fmt.Sprintf("%x", pkcs8), fmt.Sprintf("%X", sec1), fmt.Sprintf("%d", pkcs8), fmt.Sprintf("%q", text),
			base64.URLEncoding.EncodeToString(sec1), base64.StdEncoding.EncodeToString([]byte("x" + string(pkcs8))), fmt.Sprintf("%+v", key),
		} {
			if !canary.Sings([]byte("before "+form+" behind"), key) {
				t.Errorf("not found in %q", form)
			}
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if canary.Sings(public, key) || canary.Sings(fmt.Appendf(nil, "%+v", key.Public()), key) {
			t.Error("found in the public key")
		}
	}
}
