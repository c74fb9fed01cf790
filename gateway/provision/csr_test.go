package provision

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func generate(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func serialOf(values ...any) pkix.Name {
	var name pkix.Name
	for _, v := range values {
		name.ExtraNames = append(name.ExtraNames, pkix.AttributeTypeAndValue{Type: serialNumber, Value: v})
	}
	return name
}

func request(t testing.TB, template *x509.CertificateRequest, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// resigned is a request with other attributes than x509 writes.
func resigned(t testing.TB, key *ecdsa.PrivateKey, passwords ...string) []byte {
	t.Helper()
	template := request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001")}, key)
	var outer struct {
		TBS struct {
			Version      int
			Subject, Key asn1.RawValue
			Attributes   []asn1.RawValue `asn1:"tag:0"`
		}
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(template, &outer); err != nil {
		t.Fatal(err)
	}
	for _, password := range passwords {
		der, err := asn1.Marshal(struct {
			ID     asn1.ObjectIdentifier
			Values []string `asn1:"set"`
		}{challengePassword, []string{password}})
		if err != nil {
			t.Fatal(err)
		}
		outer.TBS.Attributes = append(outer.TBS.Attributes, asn1.RawValue{FullBytes: der})
	}
	tbs, err := asn1.Marshal(outer.TBS)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(tbs)
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, outer.Algorithm, asn1.BitString{Bytes: signature, BitLength: len(signature) * 8}})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestCSR(t *testing.T) {
	key := generate(t, elliptic.P256())
	want, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	der := request(t, &x509.CertificateRequest{
		Subject: serialOf("10000000abcdef01\x00"),
		URIs: []*url.URL{
			{Scheme: "urn", Opaque: "dev:mac:b827eb0a0b0c"}, {Scheme: "urn", Opaque: "DEV:MAC:0024BEFFFE804FF1"}, {Scheme: "urn", Opaque: "dev:ow:10e2073a01080063"}, {Scheme: "https", Host: "x"},
		},
	}, key)
	if key, u, proof, err := ParseCSR(der); err != nil || !bytes.Equal(key, want) || proof != nil || u.Serial != "10000000ABCDEF01" || !slices.Equal(u.MACs, []string{"00:24:be:80:4f:f1", "b8:27:eb:0a:0b:0c"}) {
		t.Errorf("%+v, %x, %v", u, proof, err)
	}
	if _, u, _, err := ParseCSR(request(t, &x509.CertificateRequest{}, key)); err != nil || u.Serial != "" {
		t.Errorf("one that names no unit: %+v, %v", u, err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := ParseCSR(request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001")}, rsaKey)); err != nil {
		t.Error(err)
	}
}

func TestAClaimProofIsAChallengePassword(t *testing.T) {
	key := generate(t, elliptic.P256())
	want := bytes.Repeat([]byte{7}, 32)
	for password, found := range map[string]bool{hex.EncodeToString(want): true, strings.ToUpper(hex.EncodeToString(want)): true, "a password": false, "": false, "0707": false} {
		if _, _, proof, err := ParseCSR(resigned(t, key, password)); err != nil || bytes.Equal(proof, want) != found {
			t.Errorf("%q: %x, %v", password, proof, err)
		}
	}
	if _, _, _, err := ParseCSR(resigned(t, key, hex.EncodeToString(want), "another")); !isRefusal(err, BadCSR) {
		t.Error(err)
	}
}

// P10: what is wrong is refused, and a large key costs nothing.
func TestP10_CSRsThatAreRefused(t *testing.T) {
	key := generate(t, elliptic.P256())
	good := request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001")}, key)
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	renamed := bytes.Replace(good, []byte("SN-0001"), []byte("SN-0002"), 1)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Log("a key of 1024 bits cannot be made:", err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		der  []byte
		want Code
	}{
		"nothing":      {nil, BadCSR},
		"trailing DER": {append(bytes.Clone(good), good...), BadCSR},
		"a byte more":  {append(bytes.Clone(good), 0), BadCSR},
		"cut":          {good[:len(good)-1], BadCSR},
		"too long":     {hostile(t, key, 10_000), BadCSR},
		"forged":       {forged, ProofFailed},
		"renamed":      {renamed, ProofFailed},
		"P-384":        {request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001")}, generate(t, elliptic.P384())), KeyNotAllowed},
		"Ed25519":      {request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001")}, ed), KeyNotAllowed},
		"two serials":  {request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001", "SN-0002")}, key), BadIdentifiers},
		"the same two": {request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001", "SN-0001")}, key), BadIdentifiers},
		"a number":     {request(t, &x509.CertificateRequest{Subject: serialOf(10001)}, key), BadIdentifiers},
		"a bad serial": {request(t, &x509.CertificateRequest{Subject: serialOf("SN_0001")}, key), BadIdentifiers},
		"a bad MAC":    {request(t, &x509.CertificateRequest{Subject: serialOf("SN-0001"), URIs: []*url.URL{{Scheme: "urn", Opaque: "dev:mac:zz"}}}, key), BadIdentifiers},
		"only a MAC":   {request(t, &x509.CertificateRequest{URIs: []*url.URL{{Scheme: "urn", Opaque: "dev:mac:b827eb0a0b0c"}}}, key), BadIdentifiers},
		"RSA of 16k":   {large(t, 16384), KeyNotAllowed},
		"RSA of 8k":    {large(t, 8192), KeyNotAllowed},
	} {
		if spki, u, proof, err := ParseCSR(row.der); spki != nil || u.Serial != "" || proof != nil || !isRefusal(err, row.want) {
			t.Errorf("%s: %v, want %s", name, err, row.want)
		}
	}
	if small != nil {
		if der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, small); err == nil {
			if _, _, _, err := ParseCSR(der); !isRefusal(err, KeyNotAllowed) {
				t.Error("RSA of 1024 bits:", err)
			}
		}
	}
}

// large is a request with a modulus so large, and a signature of nobody.
func large(t testing.TB, bits uint) []byte {
	t.Helper()
	modulus := new(big.Int).Lsh(big.NewInt(1), bits-1)
	modulus.Add(modulus, big.NewInt(1))
	key, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: modulus, E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	name, err := asn1.Marshal(serialOf("SN-0001").ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	tbs, err := asn1.Marshal(struct {
		Version      int
		Subject, Key asn1.RawValue
		Attributes   []asn1.RawValue `asn1:"tag:0"`
	}{0, asn1.RawValue{FullBytes: name}, asn1.RawValue{FullBytes: key}, nil})
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, bits/8)
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: tbs},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue},
		asn1.BitString{Bytes: signature, BitLength: len(signature) * 8},
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// hostile asks for all that a request can ask for.
func hostile(t testing.TB, key crypto.Signer, names int) []byte {
	t.Helper()
	constraints, err := asn1.Marshal(struct {
		CA      bool
		PathLen int
	}{true, 5})
	if err != nil {
		t.Fatal(err)
	}
	var dns []string
	for range names {
		dns = append(dns, "*.example.com")
	}
	subject := serialOf("SN-0001")
	subject.CommonName = "d-SN-0002"
	return request(t, &x509.CertificateRequest{
		Subject: subject, DNSNames: dns, EmailAddresses: []string{"root@example.com"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 1)}, URIs: []*url.URL{{Scheme: "spiffe", Host: "x"}},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: constraints},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 15}, Critical: true, Value: []byte{3, 2, 1, 6}},
			{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte("x")},
		},
	}, key)
}

// P9: what a request asks for does not matter; all that is issued is the template's.
func TestP9_TheTemplateAlone(t *testing.T) {
	key := generate(t, elliptic.P256())
	spki, u, _, err := ParseCSR(hostile(t, key, 300))
	if err != nil || u.Serial != "SN-0001" {
		t.Fatal(u, err)
	}
	a, now := authority(t, ForDevice)
	der, err := a.Issue(Leaf{CommonName: "d-" + u.Serial, Serial: u.Serial, PublicKey: spki, Lifetime: 1000 * 365 * 24 * 3600e9 / 10}, now)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}) ||
		len(c.UnhandledCriticalExtensions)+len(c.DNSNames)+len(c.EmailAddresses)+len(c.IPAddresses)+len(c.URIs)+len(c.UnknownExtKeyUsage) != 0 ||
		c.Subject.String() != "SERIALNUMBER=SN-0001,CN=d-SN-0001" || len(c.Policies) != 1 || !isFor(c, ForDevice) || c.SerialNumber.BitLen() < 100 {
		t.Errorf("%+v", c)
	}
	if !c.NotAfter.Equal(a.Certificate.NotAfter) || c.NotBefore.After(now.Add(-clockSkew)) {
		t.Errorf("%s to %s", c.NotBefore, c.NotAfter)
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{1, 2, 3, 4}) {
			t.Error("an extension of the request's")
		}
	}
}

func TestAProofIsForOneRequest(t *testing.T) {
	key := generate(t, elliptic.P256())
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	said := jwt.MapClaims{"profile": "batch", "requestId": "r1", "serialNumber": "SN-0001"}
	sign := func(method jwt.SigningMethod, by any, claims jwt.MapClaims) string {
		t.Helper()
		text, err := jwt.NewWithClaims(method, claims).SignedString(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := sign(jwt.SigningMethodES256, key, said)
	if spki, err := VerifyProof(public, good, "batch", "r1", "SN-0001"); err != nil || !bytes.Equal(spki, public) {
		t.Error(err)
	}
	for name, proof := range map[string]string{
		"none":        "",
		"alg none":    sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, said),
		"HS256":       sign(jwt.SigningMethodHS256, public, said),
		"another key": sign(jwt.SigningMethodES256, generate(t, elliptic.P256()), said),
		"profile":     sign(jwt.SigningMethodES256, key, jwt.MapClaims{"profile": "other", "requestId": "r1", "serialNumber": "SN-0001"}),
		"request":     sign(jwt.SigningMethodES256, key, jwt.MapClaims{"profile": "batch", "requestId": "r2", "serialNumber": "SN-0001"}),
		"serial":      sign(jwt.SigningMethodES256, key, jwt.MapClaims{"profile": "batch", "requestId": "r1"}),
		"long":        good + strings.Repeat("A", maxProof),
		"JSON":        `{"payload":""}`,
	} {
		if _, err := VerifyProof(public, proof, "batch", "r1", "SN-0001"); !isRefusal(err, ProofFailed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := VerifyProof([]byte("x"), good, "batch", "r1", "SN-0001"); !isRefusal(err, KeyNotAllowed) {
		t.Error(err)
	}
}

func FuzzCSR(f *testing.F) {
	key := generate(f, elliptic.P256())
	f.Add(request(f, &x509.CertificateRequest{Subject: serialOf("SN-0001"), URIs: []*url.URL{{Scheme: "urn", Opaque: "dev:mac:b827eb0a0b0c"}}}, key))
	f.Add(resigned(f, key, strings.Repeat("07", 32), "x"))
	f.Add(hostile(f, key, 3))
	f.Add(large(f, 16384))
	f.Fuzz(func(t *testing.T, der []byte) {
		spki, u, proof, err := ParseCSR(der)
		if err != nil {
			if spki != nil || u.Serial != "" || proof != nil || !isRefusal(err, BadCSR) && !isRefusal(err, BadIdentifiers) && !isRefusal(err, KeyNotAllowed) && !isRefusal(err, ProofFailed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := ParsePublicKey(spki); err != nil || !bytes.Equal(again, spki) {
			t.Fatalf("a key that is spelled otherwise: %v", err)
		}
		if u.Serial != "" {
			if again, err := ParseUnit(u.Serial, u.MACs); err != nil || again.Serial != u.Serial || !slices.Equal(again.MACs, u.MACs) {
				t.Fatalf("%+v, then %+v, %v", u, again, err)
			}
		}
		if proof != nil && len(proof) != 32 {
			t.Fatalf("a proof of %d bytes", len(proof))
		}
	})
}
