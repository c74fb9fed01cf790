package enroll

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestABoardEnrolsOnceAndForAll(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	b.open = nil // the real folder
	got, err := b.Enroll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Name() != "projects/project-1/locations/us-central1/registries/fleet/devices/d-"+serial || got.Number != "2577321808646966" ||
		got.Host != "mqtt.example.com" || got.Port != 8884 || got.Serial != serial {
		t.Errorf("%+v", got)
	}
	if want := got.Certificate.NotAfter.Add(-year / 3); got.RenewAfter.Sub(want).Abs() > time.Second {
		t.Errorf("renewed after %s, want %s", got.RenewAfter, want)
	}
	is, err := os.Stat(b.Key)
	if err != nil || is.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", is.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(b.Key))
	if err != nil || len(left) != 3 {
		t.Errorf("%v, %v: want the key and the two of the bootstrap", left, err)
	}
	loaded, err := Load(b.Key)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Name() != got.Name() || !loaded.Certificate.Equal(got.Certificate) || !loaded.RenewAfter.Equal(got.RenewAfter) || len(loaded.Authorities) != 1 {
		t.Errorf("%+v", loaded)
	}
	b.start(filepath.Dir(b.Key))
	b.open = nil
	if again, err := b.Enroll(t.Context()); err != nil || again.Name() != got.Name() {
		t.Errorf("%+v, %v", again, err)
	}
	if n := g.requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
	body := g.asked[0].body
	if diff := cmp.Diff(map[string]any{"serialNumber": serial, "macAddresses": []any{"b8:27:eb:00:00:01"}}, body["identifiers"]); diff != "" {
		t.Error(diff)
	}
	if b.Status().State != stateEnrolled || b.Status().NotAfter.IsZero() {
		t.Errorf("%+v", b.Status())
	}
}

// The power goes before each step on the disk, and takes what was not synced, or leaves
// it torn: one key is ever asked for, and the device ends with its certificate.
func TestB19_B69_B74_ThePowerGoesAtEachStepOfEnrolling(t *testing.T) {
	g := newGateway(t)
	for l := range losses {
		for cut, gone := 0, true; gone; cut++ {
			b := newBoard(t, g)
			g.asked, g.claims = nil, map[string][]*x509.Certificate{}
			gone = b.until(cut, func(ctx context.Context) { b.Enroll(ctx) })
			b.reboot(l)
			id, err := b.Enroll(t.Context())
			if err != nil {
				t.Fatalf("loss %d, step %d: %v", l, cut, err)
			}
			if keys := g.keys(); len(keys) != 1 {
				t.Errorf("loss %d, step %d: %d keys were asked for", l, cut, len(keys))
			}
			if own := b.enrolled(); len(g.claims[serial]) != 1 || !own.identity.Certificate.Equal(g.claims[serial][0]) || id.Name() != own.identity.Name() {
				t.Errorf("loss %d, step %d: %d certificates", l, cut, len(g.claims[serial]))
			}
			if ids := ids(g); len(ids) != 1 {
				t.Errorf("loss %d, step %d: requests %v", l, cut, ids)
			}
			b.Run(ended()) // takes away what was left
			if b.has(b.next()) {
				t.Errorf("loss %d, step %d: the request is still there", l, cut)
			}
			if !gone && cut < 8 {
				t.Errorf("only %d steps", cut)
			}
		}
	}
}

func ids(g *gateway) map[any]bool {
	all := map[any]bool{}
	for _, a := range g.asked {
		all[a.body["requestId"]] = true
	}
	return all
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestB69_AnAnswerThatIsLostIsAskedForAgain(t *testing.T) {
	g := newGateway(t)
	g.lose = func(n int) bool { return n < 3 }
	b := newBoard(t, g)
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys := g.keys(); len(keys) != 1 || g.requests() != 4 || len(g.claims[serial]) != 1 || len(ids(g)) != 1 {
		t.Errorf("%d keys, %d requests", len(keys), g.requests())
	}
}

// Nothing is asked for before its key is safe.
func TestB19_TheKeyIsSyncedBeforeTheFirstRequest(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	checked := false
	g.instead = func(http.ResponseWriter, int) bool {
		n := b.disk.safe[b.next()]
		if n == nil {
			t.Error("the request is not in the folder")
			return false
		}
		if r, err := parseRequest(n.safe); err != nil || r.serial != serial {
			t.Error(err)
		}
		checked = true
		return false
	}
	if _, err := b.Enroll(t.Context()); err != nil || !checked {
		t.Fatal(err)
	}
}

func TestB74_ALostKeyIsNotAnsweredForAnother(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.disk = newDisk() // a new card
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.start(filepath.Dir(b.Key))
	b.sleeps = nil
	b.slept = func(int) { cancel() }
	if _, err := b.Enroll(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s := b.Status(); !strings.Contains(s.Error, "ALREADY_PROVISIONED (409)") || !strings.Contains(s.Error, "8a6e0804-2bd0-4672-b79d-d97027f9071a") || s.NextAttempt.IsZero() {
		t.Errorf("%+v", s)
	}
	if b.sleeps[0] < time.Hour || b.sleeps[0] > 75*time.Minute || b.has(b.name()) {
		t.Errorf("%v", b.sleeps)
	}
}

func TestWhatTheGatewayAnswersSaysHowLongToWait(t *testing.T) {
	for _, c := range []struct {
		status      int
		after       string
		least, most time.Duration
	}{
		{202, "60", time.Minute, 66 * time.Second},
		{429, "0", time.Second, 1100 * time.Millisecond},
		{429, "99999999", 24 * time.Hour, 26*time.Hour + 24*time.Minute},
		{503, "Wed, 21 Oct 2015 07:28:00 GMT", time.Second, 1100 * time.Millisecond},
		{503, "soon", time.Second, 2 * time.Second},
		{503, "-1", time.Second, 2 * time.Second},
		{403, "", time.Hour, 75 * time.Minute},
		{409, "5", time.Hour, 75 * time.Minute},
		{500, "3600", time.Second, 2 * time.Second},
		{302, "", time.Second, 2 * time.Second},
		{401, "", time.Second, 2 * time.Second},
	} {
		t.Run(fmt.Sprint(c.status, c.after), func(t *testing.T) {
			g := newGateway(t)
			g.instead = func(w http.ResponseWriter, n int) bool {
				if n > 0 {
					return false
				}
				w.Header().Set("Location", g.url+"/elsewhere")
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				problem(w, c.status, "DENIED")
				return true
			}
			b := newBoard(t, g)
			if _, err := b.Enroll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(b.sleeps) != 1 || b.sleeps[0] < c.least || b.sleeps[0] > c.most {
				t.Errorf("waited %v, want %s to %s", b.sleeps, c.least, c.most)
			}
			if g.requests() != 2 || g.asked[1].path != g.asked[0].path {
				t.Errorf("%d requests", g.requests())
			}
		})
	}
}

func TestOtherFailuresAreTriedAgainWithFullJitterUpToAQuarterOfAnHour(t *testing.T) {
	longest := time.Duration(0)
	for range 200 {
		for failures := range 40 {
			wait := pause(errors.New("no network"), failures)
			if most := min(2*time.Second<<min(failures, 20), 15*time.Minute); wait < time.Second || wait > most {
				t.Fatalf("after %d failures %s", failures, wait)
			}
			longest = max(longest, wait)
		}
	}
	if longest < 10*time.Minute {
		t.Errorf("never more than %s", longest)
	}
}

func TestP18_NothingIsAskedBeforeTheClockIsPlausible(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	b.clock.bad = 5
	b.slept = func(int) {
		if g.requests() > 0 || b.has(b.next()) || b.Status().State != stateWaiting {
			t.Errorf("asked: %+v", b.Status())
		}
	}
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.sleeps) != 5 {
		t.Errorf("%v", b.sleeps)
	}
	b = newBoard(t, g)
	b.clock.bad = 1
	if _, err := b.EnrollOnce(t.Context()); !errors.Is(err, errClock) {
		t.Error(err)
	}
}

func TestP17_OnlyHTTPSIsAsked(t *testing.T) {
	for _, text := range []string{
		"http://gateway.example.com:8443", "HTTP://gateway.example.com", "gateway.example.com:8443", "//gateway.example.com", "https:gateway", "ftp://gateway",
		"https://", "https://:8443", "https://user@gateway", "https://u:p@gateway", "https://gateway/v1", "https://gateway?x", "https://gateway?",
		"https://gateway#x", "https://gateway:0", "https://gateway:65536", "https://gate way", "https://gateway\n", "https://gate%2fway", "",
	} {
		if u, err := ParseURL(text); err == nil {
			t.Errorf("%q is taken as %s", text, u)
		}
	}
	for text, want := range map[string]string{
		"https://gateway.example.com:8443": "https://gateway.example.com:8443", "https://10.0.0.1/": "https://10.0.0.1", "https://[fe80::1]:8443": "https://[fe80::1]:8443",
	} {
		if u, err := ParseURL(text); err != nil || u.String() != want {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	g := newGateway(t)
	b := newBoard(t, g)
	b.URL = "http" + strings.TrimPrefix(g.url, "https")
	if _, err := b.EnrollOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "over TLS only") {
		t.Error(err)
	}
}

func TestOnlyThePinnedRootsAreBelieved(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	g.server = g.devices // of another authority
	_, err := b.EnrollOnce(t.Context())
	if err == nil || !strings.Contains(err.Error(), "GOOGLE_ROOT_CERT") || g.requests() != 0 {
		t.Error(err)
	}
}

func TestTheClaimSecretIsProvedForTheKey(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	b.ClaimSecret = filepath.Join(filepath.Dir(b.Key), "secret")
	write(t, b.ClaimSecret, 0o600, "the unit's\n")
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	hashed := sha256.Sum256([]byte("the unit's"))
	mac := hmac.New(sha256.New, hashed[:])
	mac.Write([]byte(g.asked[0].key))
	if got, want := g.asked[0].body["claimProof"], hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestSecretsThatOthersCanReadAreNotUsed(t *testing.T) {
	g := newGateway(t)
	for _, name := range []string{"bootstrap.key", "secret"} {
		b := newBoard(t, g)
		b.ClaimSecret = filepath.Join(filepath.Dir(b.Key), "secret")
		write(t, b.ClaimSecret, 0o600, "secret")
		if err := os.Chmod(filepath.Join(filepath.Dir(b.Key), name), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := b.EnrollOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if g.requests() > 0 {
		t.Error("asked")
	}
}

func TestARequestThatIsDamagedOrAnotherBoardsIsSetAside(t *testing.T) {
	for _, c := range []struct {
		name string
		text func(*request) []byte
	}{
		{"nothing", func(*request) []byte { return nil }},
		{"cut", func(r *request) []byte { text, _ := r.encode(); return text[:len(text)-40] }},
		{"another board's", func(r *request) []byte { r.serial = "OTHER-1"; text, _ := r.encode(); return text }},
		{"another key's request", func(r *request) []byte {
			other, _ := newRequest(serial, nil)
			r.csr = other.csr
			text, _ := r.encode()
			return text
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t)
			b := newBoard(t, g)
			r, err := newRequest(serial, nil)
			if err != nil {
				t.Fatal(err)
			}
			text := c.text(r)
			b.disk.now[b.next()] = &node{text, text}
			if _, err := b.Enroll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if b.has(b.next()) || !b.has(b.next()+".bad") || b.enrolled().key.Equal(r.key) {
				t.Error("it was used")
			}
		})
	}
}

// B19: what the device is, is not guessed.
func TestB19_ADamagedKeyStopsAndIsNotReplaced(t *testing.T) {
	g := newGateway(t)
	b := newBoard(t, g)
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := b.disk.now[b.name()].text
	foreign, err := newRequest(serial, nil)
	if err != nil {
		t.Fatal(err)
	}
	swapped := *b.enrolled()
	swapped.key = foreign.key
	other, err := swapped.encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": {}, "another's certificate": other} {
		b.disk.now[b.name()] = &node{text, text}
		if _, err := b.Enroll(t.Context()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if g.requests() != 1 {
		t.Error("asked")
	}
}

func TestTwoProcessesDoNotEnrolWithOneFolder(t *testing.T) {
	b := newBoard(t, newGateway(t))
	b.open = nil
	first, err := openFolder(filepath.Dir(b.Key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Enroll(t.Context()); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Error(err)
	}
	first.Close()
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Error(err)
	}
}
