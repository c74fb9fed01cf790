package registry

import (
	"errors"
	"testing"

	"iotbridge/gateway"
)

// Only what was signed for a list is taken, and it says what was signed.
func FuzzPageToken(f *testing.F) {
	key := pageKey("0123456789abcdef0123456789abcdef")
	for _, last := range []string{"", "d", "device1", "\x00\xff"} {
		f.Add("devices", key.sign("devices", last), last)
	}
	f.Add("", "", "")
	f.Add("devices", "ESDOAJ_Fgzs3gKxYnYGnMWRldmljZTA4\n", "x")
	f.Fuzz(func(t *testing.T, scope, token, last string) {
		got, size, err := key.open(scope, gateway.Page{Token: token})
		switch {
		case err != nil:
			if !errors.Is(err, gateway.ErrInvalid) || got != "" || size != 0 {
				t.Fatalf("%q, %d, %v", got, size, err)
			}
		case token == "":
		case key.sign(scope, got) != token:
			t.Fatalf("%q was taken as %q, whose token is %q", token, got, key.sign(scope, got))
		}
		signed := key.sign(scope, last)
		if got, _, err := key.open(scope, gateway.Page{Token: signed}); last != "" && len(signed) <= maxToken && (err != nil || got != last) {
			t.Fatalf("%q came back as %q, %v", last, got, err)
		}
		if _, _, err := key.open(scope+"x", gateway.Page{Token: signed}); err == nil {
			t.Fatalf("a token of %q was taken for %[1]qx", scope)
		}
		if _, _, err := pageKey("another").open(scope, gateway.Page{Token: signed}); err == nil {
			t.Fatal("another store took it")
		}
	})
}
