package auth_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

var formats = []gateway.KeyFormat{gateway.RSAPEM, gateway.RSAX509, gateway.ES256PEM, gateway.ES256X509}

func TestFormats(t *testing.T) {
	pems := map[gateway.KeyFormat]string{
		gateway.RSAPEM:    rsaDevice().PEM,
		gateway.ES256PEM:  ecDevice().PEM,
		gateway.RSAX509:   selfSigned(t, rsaDevice()),
		gateway.ES256X509: selfSigned(t, ecDevice()),
	}
	for holds, text := range pems {
		if format, err := auth.DetectFormat(text); format != holds || err != nil {
			t.Errorf("format %d is taken for %d, %v", holds, format, err)
		}
		for _, said := range append(formats, 0, 5, -1) {
			key, err := auth.ParseKey(said, text)
			if (err == nil) != (said == holds) {
				t.Errorf("format %d as %d: %v", holds, said, err)
			}
			if err == nil && (key.Certificate != nil) != (holds == gateway.RSAX509 || holds == gateway.ES256X509) {
				t.Errorf("format %d: certificate %v", holds, key.Certificate)
			}
		}
	}
	for _, d := range []*device{rsaDevice(), ecDevice()} {
		cert := gateway.Credential{Format: map[gateway.KeyFormat]gateway.KeyFormat{gateway.RSAPEM: gateway.RSAX509, gateway.ES256PEM: gateway.ES256X509}[d.Format], PEM: selfSigned(t, d)}
		accepts(t, "a certificate's key", d.token(), cert)
		bare, of := parsed(t, d.Credential), parsed(t, cert)
		if bare.Fingerprint() != of.Fingerprint() || len(bare.Fingerprint()) != 64 || bare.Fingerprint() == parsed(t, ecOther().Credential).Fingerprint() {
			t.Errorf("fingerprints %s and %s of one key", bare.Fingerprint(), of.Fingerprint())
		}
		if bare.Algorithm() != d.method.Alg() {
			t.Errorf("algorithm %s", bare.Algorithm())
		}
	}
}

func TestPEMText(t *testing.T) {
	key := ecDevice().PEM
	for name, text := range map[string]string{
		"CRLF":                     strings.ReplaceAll(key, "\n", "\r\n"),
		"no line end":              strings.TrimSpace(key),
		"space around":             "\n \t" + key + "\n\n",
		"one long line":            "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(derOf(key)) + "\n-----END PUBLIC KEY-----",
		"as long as it may be":     key + strings.Repeat("\n", auth.MaxPEM-len(key)),
		"a line end that is extra": strings.Replace(key, "\n", "\n\n", 1),
	} {
		if _, err := auth.ParseKey(gateway.ES256PEM, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	der := derOf(ecDevice().PEM)
	sec1, err := x509.MarshalECPrivateKey(ecDevice().private.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                   "not a PEM block",
		"hello":                              "not a PEM block",
		string(der):                          "not a PEM block",
		key + strings.Repeat("\n", 16<<10):   "more than 16384 bytes",
		"text\n" + key:                       "not a PEM block",
		key + "text":                         "more than one",
		key + key:                            "more than one",
		key + "\x00":                         "more than one",
		strings.ReplaceAll(key, "-----", ""): "not a PEM block",
		strings.Replace(key, "\n", "\nProc-Type: 4,ENCRYPTED\n\n", 1):               "headers",
		strings.Replace(key, "-----END PUBLIC KEY-----", "-----END CERTIFICATE", 1): "not a PEM block",
		pemOf("EC PRIVATE KEY", sec1):                                               "a private key",
		pemOf("PRIVATE KEY", sec1):                                                  "a private key",
		pemOf("ENCRYPTED PRIVATE KEY", sec1):                                        "a private key",
		pemOf("RSA PUBLIC KEY", der):                                                "neither",
		pemOf("public key", der):                                                    "neither",
		pemOf("CERTIFICATE REQUEST", der):                                           "neither",
		pemOf("CERTIFICATE", der):                                                   "not the DER of an X.509",
		pemOf("PUBLIC KEY", nil):                                                    "not the DER",
		pemOf("PUBLIC KEY", append(der, 0)):                                         "not the DER",
		pemOf("PUBLIC KEY", der[:len(der)-1]):                                       "not the DER",
		pemOf("PUBLIC KEY", bytes.Repeat([]byte{0x30, 0x80}, 4000)):                 "not the DER",
	} {
		_, err := auth.ParseKey(gateway.ES256PEM, text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "MFkw") {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

func TestJ4_WeakKeys(t *testing.T) {
	for _, bits := range []int{2048, 2049, 3072, 4096, 8192} {
		registers(t, fmt.Sprint("RSA of ", bits), gateway.RSAPEM, rsaPEM(t, modulus(bits), 65537), "")
	}
	for _, bits := range []int{512, 1024, 2040, 2047, 8193, 16384} {
		registers(t, fmt.Sprint("RSA of ", bits), gateway.RSAPEM, rsaPEM(t, modulus(bits), 65537), "it must have 2048 to 8192")
	}
	for _, e := range []int{1, 2, 3, 17, 257, 65535, 65536, 65538} {
		registers(t, fmt.Sprint("exponent ", e), gateway.RSAPEM, rsaPEM(t, modulus(2048), e), "it must be odd and at least 65537")
	}
	registers(t, "exponent 65539", gateway.RSAPEM, rsaPEM(t, modulus(2048), 65539), "")

	n := modulus(2048)
	registers(t, "even", gateway.RSAPEM, rsaPEM(t, new(big.Int).Xor(n, big.NewInt(1)), 65537), "even")
	registers(t, "a multiple of 751", gateway.RSAPEM, rsaPEM(t, new(big.Int).Mul(modulus(2040), big.NewInt(751)), 65537), "small prime factor")
	registers(t, "two primes side by side", gateway.RSAPEM, rsaPEM(t, neighbours(t), 65537), "close to each other")
	registers(t, "RSALib's", gateway.RSAPEM, rsaPEM(t, rsalib(), 65537), "CVE-2017-15361")

	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P384(), elliptic.P521()} {
		private, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		registers(t, curve.Params().Name, gateway.ES256PEM, publicPEM(private.Public()), "only P-256")
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	registers(t, "Ed25519", gateway.ES256PEM, publicPEM(ed), "neither on P-256 nor RSA")
	x, err := ecDevice().private.(*ecdsa.PrivateKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	registers(t, "P-256 as of ECDH", gateway.ES256PEM, publicPEM(x.PublicKey()), "")

	const prefix = 26 // of the SubjectPublicKeyInfo before the point
	der := derOf(ecDevice().PEM)
	off := bytes.Clone(der)
	off[len(off)-1] ^= 1
	registers(t, "a point off the curve", gateway.ES256PEM, pemOf("PUBLIC KEY", off), "not the DER")
	zero := append(bytes.Clone(der[:prefix+1]), make([]byte, 64)...)
	registers(t, "the point 0, 0", gateway.ES256PEM, pemOf("PUBLIC KEY", zero), "not the DER")
	identity := append(bytes.Clone(der[:prefix]), 0)
	identity[1], identity[prefix-2] = byte(len(identity)-2), 2
	registers(t, "the identity", gateway.ES256PEM, pemOf("PUBLIC KEY", identity), "not the DER")
	compressed := append(bytes.Clone(der[:prefix]), elliptic.MarshalCompressed(elliptic.P256(), new(big.Int).SetBytes(der[prefix+1:prefix+33]), new(big.Int).SetBytes(der[prefix+33:]))...)
	compressed[1], compressed[prefix-2] = byte(len(compressed)-2), 34
	registers(t, "a compressed point", gateway.ES256PEM, pemOf("PUBLIC KEY", compressed), "not the DER")

	cert := derOf(selfSigned(t, ecDevice()))
	oid := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}
	if bytes.Count(cert, oid) != 2 {
		t.Fatal("test: the certificate does not name ECDSA with SHA-256 twice")
	}
	unknown := bytes.ReplaceAll(cert, oid, append(oid[:len(oid)-1:len(oid)-1], 9))
	registers(t, "unknown signature algorithm", gateway.ES256X509, pemOf("CERTIFICATE", unknown), "unknown algorithm")
}

func registers(t *testing.T, name string, format gateway.KeyFormat, text, want string) {
	t.Helper()
	_, err := auth.Register(gateway.Credential{Format: format, PEM: text}, nil, now)
	if want == "" && err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func parsed(t *testing.T, c gateway.Credential) auth.Key {
	t.Helper()
	key, err := auth.ParseKey(c.Format, c.PEM)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaPEM(t *testing.T, n *big.Int, e int) string {
	t.Helper()
	return publicPEM(&rsa.PublicKey{N: n, E: e})
}

// modulus is a number of so many bits without small factors, and nobody's key.
func modulus(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(3), uint(bits-2))
	return withoutSmallFactors(n.Add(n, big.NewInt(0x1234567)), big.NewInt(2))
}

// withoutSmallFactors counts n up until no prime below 752 divides it.
func withoutSmallFactors(n, step *big.Int) *big.Int {
	for {
		small := false
		for p := int64(3); p < 752; p += 2 {
			small = small || new(big.Int).Mod(n, big.NewInt(p)).Sign() == 0
		}
		if !small {
			return n
		}
		n.Add(n, step)
	}
}

func neighbours(t *testing.T) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(1) {
		q.Add(q, big.NewInt(2))
	}
	return q.Mul(q, p)
}

// rsalib is a modulus with the chip's mark: a power of 65537 modulo many primes.
func rsalib() *big.Int {
	m := big.NewInt(2)
	for p := int64(3); p < 180; p += 2 {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
		}
	}
	n := new(big.Int).Exp(big.NewInt(65537), big.NewInt(123456789), m)
	times := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 2046), m)
	return withoutSmallFactors(n.Add(n, times.Mul(times, m)), m)
}
