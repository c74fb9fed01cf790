package registry_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/internal/testpostgres"
)

func TestExpiringCredentials(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		s := openAt(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
		expiring(t, newWorld(t, s, nil))
	})
	t.Run("PostgreSQL", func(t *testing.T) { expiring(t, newWorld(t, openAt(t, testpostgres.Database(t)), nil)) })
}

func expiring(t *testing.T, w *world) {
	now := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	in := func(d time.Duration) gateway.Credential {
		return gateway.Credential{Format: gateway.ES256X509, PEM: `"expires":1`, Expires: now.Add(d)}
	}
	never := gateway.Credential{Format: gateway.ES256PEM, PEM: "b"}
	const day = 24 * time.Hour
	for i, c := range []struct {
		what        string
		credentials []gateway.Credential
		blocked     bool
		counts      bool
	}{
		{"none", nil, false, false},
		{"never", []gateway.Credential{never}, false, false},
		{"soon", []gateway.Credential{in(day)}, false, true},
		{"at the end of the window", []gateway.Credential{in(7 * day)}, false, true},
		{"after it", []gateway.Credential{in(7*day + time.Microsecond)}, false, false},
		{"already", []gateway.Credential{in(0)}, false, false},
		{"one already, one soon", []gateway.Credential{in(-day), in(day)}, false, true},
		{"two soon are one device", []gateway.Credential{in(day), in(2 * day)}, false, true},
		{"renewed", []gateway.Credential{in(90 * day), in(day)}, false, false},
		{"soon, and one that never does", []gateway.Credential{in(day), never}, false, false},
		{"blocked", []gateway.Credential{in(day)}, true, false},
	} {
		count := func(page int) int64 {
			t.Helper()
			n, err := w.ExpiringBy(t.Context(), now, now.Add(7*day), page)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		before := count(5000)
		w.createAs(t, &gateway.Device{Key: w.device(fmt.Sprint("device", i)), Credentials: c.credentials, Blocked: c.blocked})
		for _, page := range []int{1, 3, 5000} {
			if got := count(page) - before; got != 0 && !c.counts || got != 1 && c.counts {
				t.Errorf("%s, in pages of %d: %d more", c.what, page, got)
			}
		}
	}
	if n, err := w.Expiring(t.Context(), now, now.Add(7*day)); err != nil || n != 4 {
		t.Errorf("%d, %v", n, err)
	}
}
