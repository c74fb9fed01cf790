package provision

import (
	"errors"
	"strings"
	"testing"
)

// isRefusal says whether an error is one with the code.
func isRefusal(err error, code Code) bool {
	var no *Refusal
	return errors.As(err, &no) && no.Code == code
}

// P5: one spelling for each serial.
func TestP5_Serials(t *testing.T) {
	for in, want := range map[string]string{
		"10000000abcdef01": "10000000ABCDEF01", "10000000abcdef01\x00": "10000000ABCDEF01", "10000000abcdef01\n": "10000000ABCDEF01",
		"0000": "0000", "00000001 \t\r\n\x00\x00": "00000001", "a-b-": "A-B-", strings.Repeat("Z", 64): strings.Repeat("Z", 64),
	} {
		if got, err := ParseSerial(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "   ", "ABC", "\x00\x00\x00\x00\x00", strings.Repeat("Z", 65), strings.Repeat("Z", 10<<10), " ABCD", "AB CD", "AB\x00CD", "AB_CD", "AB.CD", "ABCD\x0b",
		"ＡＢＣＤ", "ABCDé", "ıııı", "ſſſſ", "ABCD\u00a0", "ABC\u202eD", "\xff\xfe\xfd\xfc", "ABCD\u200b", "../../..", "%00%00%00", "KABC\u212a",
	} {
		if got, err := ParseSerial(in); got != "" || !isRefusal(err, BadIdentifiers) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// P6: one spelling for each MAC.
func TestP6_MACs(t *testing.T) {
	for _, in := range []string{"b8:27:eb:0a:0b:0c", "B8:27:EB:0A:0B:0C", "b8-27-EB-0a-0b-0c", "b827.eb0a.0b0c", "B827.EB0A.0B0C"} {
		if got, err := ParseMAC(in); got != "b8:27:eb:0a:0b:0c" || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "b827eb0a0b0c", "b8:27:eb:0a:0b", "b8:27:eb:0a:0b:0c:0d", "b8:27:eb:0a:0b:0c:0d:0e", "b8:27-eb:0a:0b:0c", "b8.27.eb.0a.0b.0c", "b8:27:eb:0a:0b:0g",
		"b827:eb0a:0b0c", "b827.eb0a-0b0c", " b8:27:eb:0a:0b:0c", "b8:27:eb:0a:0b:0c\n", "b8::27eb:0a:0b:0c", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:00:00:00:00:00", "b8:27:eb:0a:0b:é",
	} {
		if got, err := ParseMAC(in); got != "" || !isRefusal(err, BadIdentifiers) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	u, err := ParseUnit("sn-0001", []string{"B8-27-EB-0A-0B-0C", "b827.eb0a.0b0c", "0a:00:00:00:00:01"})
	if err != nil || u.Serial != "SN-0001" || len(u.MACs) != 2 || u.MACs[0] != "0a:00:00:00:00:01" {
		t.Error(u, err)
	}
	if _, err := ParseUnit("SN-0001", make([]string, 17)); !isRefusal(err, BadIdentifiers) {
		t.Error(err)
	}
}

func FuzzSerial(f *testing.F) {
	for _, seed := range []string{"10000000abcdef01\x00", "SN-0001", "ＡＢＣＤ", "\xff", " a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s, err := ParseSerial(in)
		if err != nil {
			if s != "" || !isRefusal(err, BadIdentifiers) {
				t.Fatalf("%q: %q, %v", in, s, err)
			}
			return
		}
		again, err := ParseSerial(s)
		if again != s || err != nil || len(s) < 4 || len(s) > 64 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" || !strings.EqualFold(s, in[:len(s)]) {
			t.Fatalf("%q: %q, then %q, %v", in, s, again, err)
		}
	})
}

func FuzzMAC(f *testing.F) {
	for _, seed := range []string{"b8:27:eb:0a:0b:0c", "B8-27-EB-0A-0B-0C", "b827.eb0a.0b0c", "::::::", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		mac, err := ParseMAC(in)
		if err != nil {
			return
		}
		if again, err := ParseMAC(mac); again != mac || err != nil || len(mac) != 17 || strings.Trim(mac, "0123456789abcdef:") != "" {
			t.Fatalf("%q: %q, then %q, %v", in, mac, again, err)
		}
	})
}
