package schema

import (
	"strings"
	"testing"
)

// Keys of 32 equal bytes.
const (
	keyA = "a QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n"
	keyB = "b QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=\n"
)

func keyring(file string) *Keyring {
	ring, err := ParseKeyring([]byte(file))
	if err != nil {
		panic(err)
	}
	return ring
}

func signed(m *Message) *Message {
	return m.set(AttrAttestation, keyring(keyA).Sign(m))
}

// The value was computed with Python's hmac from the description alone.
func TestSignIsThePublishedForm(t *testing.T) {
	const want = "v1.a.bwuxvVhHtyopSZ2A6RnjcAsUqYKZA7K49hO386EifC4"
	if got := keyring(keyA + keyB).Sign(reading()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestVerifyTakesEveryKeyOfTheFile(t *testing.T) {
	m := signed(reading())
	for _, file := range []string{keyA, keyA + keyB, "# rotated\n\n" + keyB + keyA} {
		if why := keyring(file).Verify(m); why != nil {
			t.Errorf("%v", why)
		}
	}
	if why := keyring(keyB).Verify(m); why == nil || why.Reason != AttestationInvalid {
		t.Errorf("a key that was taken out: %v", why)
	}
}

func TestG1_ForgedIdentity(t *testing.T) {
	ring := keyring(keyA)
	for _, name := range sealed {
		if why := ring.Verify(signed(reading()).set(name, "forged")); why == nil || why.Reason != AttestationInvalid {
			t.Errorf("another %s: %v", name, why)
		}
	}
	m := signed(reading())
	m.Data = append(m.Data, ' ')
	if why := ring.Verify(m); why == nil || why.Reason != AttestationInvalid {
		t.Errorf("other data: %v", why)
	}
	if why := ring.Verify(reading()); why == nil || why.Reason != AttestationMissing {
		t.Errorf("none: %v", why)
	}
	// A byte moved over the border between two attributes.
	m = signed(reading().set(AttrProjectID, "project-1a").set(AttrSubFolder, "b"))
	if why := ring.Verify(m.set(AttrProjectID, "project-1").set(AttrSubFolder, "ab")); why == nil {
		t.Error("the border between two attributes is not signed")
	}
	valid := keyring(keyA).Sign(reading())
	for _, forged := range []string{
		"", "v1", "v1.", "v1.a", "v1.a.", "v1..", valid + "=", valid + "\n", " " + valid, valid[:len(valid)-1], valid[len("v1."):], "v2" + valid[2:], "V1" + valid[2:],
		strings.Replace(valid, ".a.", ".A.", 1), strings.Replace(valid, ".a.", ".a\x00.", 1), strings.Replace(valid, ".a.", "..", 1),
		valid[:len(valid)-1] + string(valid[len(valid)-1]+1), // the same 32 bytes to a lenient decoder
	} {
		if why := ring.Verify(reading().set(AttrAttestation, forged)); why == nil || why.Reason != AttestationInvalid {
			t.Errorf("%q: %v", forged, why)
		}
	}
}

func TestParseKeyringSaysTheLineAndNoSecret(t *testing.T) {
	const secret = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"
	for file, want := range map[string]string{
		"":                          "no key",
		"# only a comment\n":        "no key",
		secret + "=\n":              "line 1",
		keyA + "b " + secret + "\n": "line 2", // without padding
		"a " + secret[1:] + "==\n":  "line 1",
		"a b " + secret + "=\n":     "line 1",
		"a.b " + secret + "=\n":     "line 1",
		keyB + "\n" + keyA + keyA:   "line 4",
		strings.Repeat("k", 65) + " " + secret + "=\n": "line 1",
		"a " + secret[:42] + "F=\n":                    "line 1", // bits that are not of the key
	} {
		_, err := ParseKeyring([]byte(file))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

func TestVerifyAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget")
	}
	ring, m := keyring(keyB+keyA), signed(reading())
	if n := testing.AllocsPerRun(1000, func() { ring.Verify(m) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzAttestation(f *testing.F) {
	f.Add("v1.a.", "device1", []byte("{}"))
	f.Add(keyring(keyA).Sign(reading()), "device1", reading().Data)
	f.Add("v1.b.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "", []byte(nil))
	ring := keyring(keyB + keyA)
	f.Fuzz(func(t *testing.T, attestation, device string, data []byte) {
		m := reading().set(AttrDeviceID, device)
		m.Data = data
		valid := attestation == keyring(keyA).Sign(m) || attestation == keyring(keyB).Sign(m)
		if why := ring.Verify(m.set(AttrAttestation, attestation)); (why == nil) != valid {
			t.Errorf("%q: %v", attestation, why)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	ring, m := keyring(keyB+keyA), signed(reading())
	b.ReportAllocs()
	for b.Loop() {
		if why := ring.Verify(m); why != nil {
			b.Fatal(why)
		}
	}
}
