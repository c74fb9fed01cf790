package provision

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
)

// Whatever real clients send is the same request: globalsign/est, libest, curl with
// openssl's PEM, a shell's base64 -w0.
func TestAnyWrappingIsTheSameDER(t *testing.T) {
	der := append([]byte{0x30, 0x82, 0x01, 0x00}, bytes.Repeat([]byte{0, '\n', 0x0d, 0xff}, 64)...)
	armoured := string(pem.EncodeToMemory(&pem.Block{Type: armourRequest, Bytes: der}))
	plain := base64.StdEncoding.EncodeToString(der)
	for what, body := range map[string]string{
		"DER":                          string(der),
		"base64 in a line":             plain,
		"base64, one line and its end": plain + "\r\n",
		"lines of 64":                  string(encodeBase64(der)),
		"lines of 76 with CRLF":        wrap(plain, 76, "\r\n"),
		"lines ended by CR":            wrap(plain, 64, "\r"),
		"spaces and tabs":              " \t" + wrap(plain, 10, " \t"),
		"without padding":              strings.TrimRight(plain, "="),
		"PEM":                          armoured,
		"PEM with CRLF":                strings.ReplaceAll(armoured, "\n", "\r\n"),
		"PEM ended by CR":              strings.ReplaceAll(armoured, "\n", "\r"),
		"PEM in a line":                "-----BEGIN CERTIFICATE REQUEST-----" + plain + "-----END CERTIFICATE REQUEST-----",
		"PEM of old tools":             strings.ReplaceAll(armoured, "CERTIFICATE", "NEW CERTIFICATE"),
		"PEM, empty lines around it":   "\n\n" + armoured + "\n\n",
	} {
		got, err := unwrap([]byte(body), armourRequest, armourNewRequest)
		if err != nil || !bytes.Equal(got, der) {
			t.Errorf("%s: %x, %v", what, got, err)
		}
	}
}

func wrap(text string, width int, end string) string {
	var out strings.Builder
	for len(text) > 0 {
		n := min(width, len(text))
		out.WriteString(text[:n] + end)
		text = text[n:]
	}
	return out.String()
}

// P10: what is not exactly one request is none.
func TestP10_OtherWrappingsAreRefused(t *testing.T) {
	der := []byte{0x30, 3, 2, 1, 0}
	armoured := string(pem.EncodeToMemory(&pem.Block{Type: armourRequest, Bytes: der}))
	plain := base64.StdEncoding.EncodeToString(der)
	for what, body := range map[string]string{
		"nothing":                   "",
		"spaces":                    " \r\n",
		"two blocks":                armoured + armoured,
		"a certificate":             strings.ReplaceAll(armoured, " REQUEST", ""),
		"a private key":             strings.ReplaceAll(armoured, "CERTIFICATE REQUEST", "PRIVATE KEY"),
		"another end":               strings.Replace(armoured, "END CERTIFICATE REQUEST", "END CERTIFICATE", 1),
		"no end":                    strings.Split(armoured, "-----END")[0],
		"text before it":            "Certificate Request:\n" + armoured,
		"text after it":             armoured + "x",
		"headers in it":             strings.Replace(armoured, "-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
		"base64 of the URL":         "MI-_",
		"padding in the middle":     plain[:4] + "=" + plain[4:],
		"too much padding":          plain + "=",
		"bits that count for none":  "MAMCAQB=",
		"base64 of something else":  base64.StdEncoding.EncodeToString([]byte("2not a sequence")),
		"a NUL":                     plain + "\x00",
		"a space that is not ASCII": plain + "\u2003",
		"JSON":                      `{"csr":"` + plain + `"}`,
		"something else":            "hello",
		"a DER string":              "\x04\x01\x00",
		"a byte order mark":         "\ufeff" + plain,
	} {
		if got, err := unwrap([]byte(body), armourRequest, armourNewRequest); err == nil {
			t.Errorf("%s: taken as %x", what, got)
		}
	}
}

func TestBase64IsWrittenInLinesOf64(t *testing.T) {
	for n := range 200 {
		der := append([]byte{0x30}, make([]byte, n)...)
		text := encodeBase64(der)
		for line := range bytes.Lines(text) {
			if len(line) > 65 || line[len(line)-1] != '\n' {
				t.Fatalf("%d bytes: the line %q", n, line)
			}
		}
		if block, rest := pem.Decode(pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: der})); block == nil || len(rest) > 0 {
			t.Fatal("PEM")
		} else if want := pem.EncodeToMemory(block); !bytes.Equal(want, between("-----BEGIN X-----\n", text, "-----END X-----\n")) {
			t.Fatalf("%d bytes are %q, want those of %q", n, text, want)
		}
	}
}

func between(before string, text []byte, after string) []byte {
	return append(append([]byte(before), text...), after...)
}

// FuzzUnwrap: whatever comes is refused, or is the DER that its other wrappings are too.
func FuzzUnwrap(f *testing.F) {
	der := []byte{0x30, 3, 2, 1, 0}
	f.Add(der)
	f.Add(encodeBase64(der))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: armourRequest, Bytes: der}))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: armourNewRequest, Bytes: der}))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----M-----END CERTIFICATE REQUEST-----"))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----END CERTIFICATE REQUEST-----"))
	f.Fuzz(func(t *testing.T, body []byte) {
		der, err := unwrap(body, armourRequest, armourNewRequest)
		if err != nil {
			return
		}
		if len(der) > len(body) || len(der) == 0 || der[0] != 0x30 {
			t.Fatalf("%q became %x", body, der)
		}
		for _, again := range [][]byte{der, encodeBase64(der), pem.EncodeToMemory(&pem.Block{Type: armourRequest, Bytes: der})} {
			if same, err := unwrap(again, armourRequest); err != nil || !bytes.Equal(same, der) {
				t.Fatalf("%q became %x, and %q became %x, %v", body, der, again, same, err)
			}
		}
	})
}
