package auth_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"iotbridge/gateway"
)

// TestJ15_SignatureForms has the cases of Wycheproof's ecdsa_secp256r1_sha256_p1363.
func TestJ15_SignatureForms(t *testing.T) {
	d := ecDevice()
	signed := b64(d.header()) + "." + b64(good)
	raw, err := d.method.Sign(signed, d.private)
	if err != nil {
		t.Fatal(err)
	}
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	n, p := elliptic.P256().Params().N, elliptic.P256().Params().P
	zero, one := new(big.Int), big.NewInt(1)
	less := func(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }
	most := less(new(big.Int).Lsh(one, 256), one)
	der, err := asn1.Marshal([]*big.Int{r, s})
	if err != nil {
		t.Fatal(err)
	}

	accepts(t, "as signed", signed+"."+b64(string(raw)), d.Credential)
	// ECDSA has it so. What relies on a signature being the only one is wrong.
	accepts(t, "r, N-s", signed+"."+p1363(r, less(n, s)), d.Credential)

	for name, pair := range map[string][2]*big.Int{
		"0, 0": {zero, zero}, "0, s": {zero, s}, "r, 0": {r, zero}, "0, 1": {zero, one}, "1, 0": {one, zero}, "1, 1": {one, one},
		"N, s": {n, s}, "r, N": {r, n}, "N, N": {n, n}, "N, 0": {n, zero}, "0, N": {zero, n}, "N-1, N-1": {less(n, one), less(n, one)},
		"N+1, s": {new(big.Int).Add(n, one), s}, "p, s": {p, s}, "r, p": {r, p}, "2^256-1, s": {most, s}, "r, 2^256-1": {r, most}, "2^256-1 twice": {most, most},
		"s, r": {s, r}, "N-r, s": {less(n, r), s}, "N-r, N-s": {less(n, r), less(n, s)}, "r, s+1": {r, new(big.Int).Add(s, one)}, "1, s": {one, s}, "r, 1": {r, one},
	} {
		refuses(t, name, gateway.BadSignature, signed+"."+p1363(pair[0], pair[1]), d.Credential)
	}
	for name, signature := range map[string]string{
		"63 bytes":              string(raw[:63]),
		"63 bytes, front":       string(raw[1:]),
		"65 bytes":              string(raw) + "\x00",
		"65 bytes, front":       "\x00" + string(raw),
		"66 bytes":              "\x00" + string(raw[:32]) + "\x00" + string(raw[32:]),
		"96 bytes, as of P-384": strings.Repeat("\x00", 16) + string(raw[:32]) + strings.Repeat("\x00", 16) + string(raw[32:]),
		"32 bytes":              string(raw[:32]),
		"128 bytes":             string(raw) + string(raw),
		"DER":                   string(der),
		"none":                  "",
		"a zero":                "\x00",
		"text":                  "signature",
	} {
		refuses(t, name, gateway.BadSignature, signed+"."+b64(signature), d.Credential)
	}

	text := b64(string(raw))
	for name, segment := range map[string]string{
		"stray bits":          text[:len(text)-1] + flip(text[len(text)-1]),
		"a line end":          text + "\n",
		"line ends":           text[:20] + "\r\n" + text[20:],
		"space":               text + " ",
		"padding once":        text + "=",
		"padding in front":    "==" + text,
		"padding inside":      text[:4] + "==" + text[4:],
		"padding three times": text + "===",
		"base64":              "+/" + text[2:],
		"a NUL":               text + "\x00",
		"a byte less":         text[:len(text)-1],
		"not ASCII":           text[:len(text)-2] + "é",
		"another segment":     text + "." + text,
	} {
		refuses(t, name, gateway.TokenMalformed, signed+"."+segment, d.Credential)
	}
	accepts(t, "padding", signed+"."+text+"==", d.Credential)

	hash := sha256.Sum256([]byte(signed))
	refuses(t, "the hash", gateway.BadSignature, signed+"."+b64(string(hash[:])+string(hash[:])), d.Credential)
	refuses(t, "other claims", gateway.BadSignature, b64(d.header())+"."+b64(good+" ")+"."+text, d.Credential)
	refuses(t, "another header", gateway.BadSignature, b64(d.header()+" ")+"."+b64(good)+"."+text, d.Credential)
	refuses(t, "a padded header that was signed without", gateway.BadSignature, padded(b64(d.header()+" "))+"."+b64(good)+"."+text, d.Credential)
}

func TestJ15_RSASignatureForms(t *testing.T) {
	d := rsaDevice()
	whole := d.token()
	signed, text := whole[:strings.LastIndexByte(whole, '.')], whole[strings.LastIndexByte(whole, '.')+1:]
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, signature := range map[string]string{
		"none":          "",
		"255 bytes":     string(raw[1:]),
		"257 bytes":     "\x00" + string(raw),
		"zeros":         strings.Repeat("\x00", 256),
		"one":           strings.Repeat("\x00", 255) + "\x01",
		"all bits":      strings.Repeat("\xff", 256),
		"the other end": string(raw[:255]) + string(raw[255]^1),
	} {
		refuses(t, name, gateway.BadSignature, signed+"."+b64(signature), d.Credential)
	}
	accepts(t, "as signed", whole, d.Credential)
}

func p1363(r, s *big.Int) string {
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return b64(string(raw))
}

func padded(segment string) string {
	return segment + strings.Repeat("=", (4-len(segment)%4)%4)
}

// flip sets the lowest bit of a base64url digit, one that no byte takes.
func flip(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, digit)^1])
}
