package enroll

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// enrolledBoard has its credential, for a year from now.
func enrolledBoard(t *testing.T) *board {
	t.Helper()
	b := newBoard(t, newGateway(t))
	if _, err := b.Enroll(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.sleeps = nil
	return b
}

// run runs until there is another key.
func (b *board) run(ctx context.Context) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.Renewed = cancel
	if err := b.Run(ctx); err != nil && !errors.Is(err, errPower) {
		b.t.Error(err)
	}
}

func TestRenewsAtTwoThirdsOfTheLifetime(t *testing.T) {
	b := enrolledBoard(t)
	begin, first := b.clock.Now(), b.enrolled()
	b.run(t.Context())
	passed := b.clock.Now().Sub(begin)
	if passed < year*2/3-time.Minute || passed > year*2/3+year/60+time.Minute {
		t.Errorf("renewed after %s", passed)
	}
	second := b.enrolled()
	if second.key.Equal(first.key) || second.identity.Name() != first.identity.Name() || second.identity.Host != first.identity.Host {
		t.Errorf("%+v", second.identity)
	}
	if want := second.identity.Certificate.NotAfter.Add(-year / 3); second.identity.RenewAfter.Sub(want).Abs() > time.Second {
		t.Errorf("renewed again after %s, want %s", second.identity.RenewAfter, want)
	}
	if before, err := readEnrolled(b.disk, b.old()); err != nil || !before.key.Equal(first.key) {
		t.Errorf("the key before: %v", err)
	}
	if last := b.g.asked[len(b.g.asked)-2]; !strings.HasSuffix(last.path, "batch/simplereenroll") || last.spki != string(first.identity.Certificate.RawSubjectPublicKeyInfo) {
		t.Errorf("%s", last.path)
	}
	if b.has(b.next()) {
		t.Error("the request is still there")
	}
}

// The power goes before each step of a renewal: the key's file always holds a key that
// the gateway knows, one new key is ever asked for, and the device ends with it.
func TestB19_ThePowerGoesAtEachStepOfRenewing(t *testing.T) {
	b := enrolledBoard(t)
	at, begin := b.clock.Now(), b.disk.safe
	for l := range losses {
		for cut, gone := 0, true; gone; cut++ {
			b.disk.safe = begin
			b.reboot(nothingUnsynced)
			b.clock.at = at.Add(year * 3 / 4)
			b.g.asked, b.g.claims[serial] = nil, b.g.claims[serial][:1]
			first := b.enrolled()
			gone = b.until(cut, b.run)
			b.reboot(l)
			own := b.enrolled()
			if !b.g.knows(b.g.claims[serial], string(own.identity.Certificate.RawSubjectPublicKeyInfo)) {
				t.Fatalf("loss %d, step %d: the gateway does not know the key", l, cut)
			}
			if own.key.Equal(first.key) {
				b.run(t.Context())
			} else {
				b.Run(ended())
			}
			if n := len(b.g.claims[serial]); n != 2 || !b.enrolled().identity.Certificate.Equal(b.g.claims[serial][1]) {
				t.Errorf("loss %d, step %d: %d certificates", l, cut, n)
			}
			if n := len(b.g.keys()); n != 1 {
				t.Errorf("loss %d, step %d: %d keys were asked for", l, cut, n)
			}
			if before, err := readEnrolled(b.disk, b.old()); err != nil || before == nil || !before.key.Equal(first.key) {
				t.Errorf("loss %d, step %d: the key before: %v", l, cut, err)
			}
			if b.has(b.next()) {
				t.Errorf("loss %d, step %d: the request is still there", l, cut)
			}
			if !gone && cut < 12 {
				t.Errorf("only %d steps", cut)
			}
		}
	}
}

func TestTheKeyBeforeGoesWhenTheNewOneWasLetIn(t *testing.T) {
	b := enrolledBoard(t)
	first := b.enrolled()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	renewals := 0
	b.Renewed = func() { renewals++ }
	b.slept = func(n int) {
		switch {
		case renewals == 0:
		case b.has(b.old()) && len(b.sleeps) > 0 && !b.accepts:
			b.Accepted(first.key.Public()) // one that was let in before
			b.accepts = true
		case b.accepts && b.has(b.old()):
			b.Accepted(b.enrolled().key.Public())
			b.accepts = false
			b.waits = n
		case n > b.waits+1:
			cancel()
		}
	}
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if b.has(b.old()) || b.waits == 0 || renewals != 1 {
		t.Errorf("%d renewals", renewals)
	}
}

func TestARenewalThatIsRefusedIsTriedSlowlyAndTheKeyStays(t *testing.T) {
	b := enrolledBoard(t)
	first := b.enrolled()
	b.clock.pass(year * 3 / 4)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := b.g.requests()
	b.g.instead = func(w http.ResponseWriter, n int) bool {
		problem(w, 403, "DENIED")
		if n == asked+2 {
			cancel()
		}
		return true
	}
	if err := b.Run(ctx); err != nil {
		t.Fatal(err)
	}
	waited := time.Duration(0)
	for _, d := range b.sleeps {
		waited += d
	}
	if waited < 2*time.Hour || waited > 150*time.Minute {
		t.Errorf("waited %v", b.sleeps)
	}
	if s := b.Status(); s.State != stateRenewing || !strings.Contains(s.Error, "DENIED (403)") {
		t.Errorf("%+v", s)
	}
	if !b.enrolled().key.Equal(first.key) || len(b.g.keys()) != 1 {
		t.Error("another key")
	}
}

// Nobody lets an expired certificate in, so the bootstrap certificate asks.
func TestACertificateThatExpiredWhileTheBoardWasOff(t *testing.T) {
	b := enrolledBoard(t)
	first := b.enrolled()
	b.clock.pass(2 * year)
	b.g.other = true
	b.run(t.Context())
	last := b.g.asked[len(b.g.asked)-1]
	if !strings.HasSuffix(last.path, ":enroll") || b.enrolled().key.Equal(first.key) || b.g.requests() != 2 {
		t.Errorf("%s", last.path)
	}
}

// What self does not tell stays as it was.
func TestRenewsWithoutSelf(t *testing.T) {
	b := enrolledBoard(t)
	first := b.enrolled()
	b.clock.pass(year * 3 / 4)
	asked := b.g.requests()
	b.g.instead = func(w http.ResponseWriter, n int) bool {
		if n == asked+1 {
			problem(w, 503, "STORE_UNAVAILABLE")
		}
		return n == asked+1
	}
	now := b.clock.Now()
	b.run(t.Context())
	second := b.enrolled()
	if second.key.Equal(first.key) || second.identity.Name() != first.identity.Name() || second.identity.Port != first.identity.Port {
		t.Errorf("%+v", second.identity)
	}
	if want := now.Add(year * 2 / 3); second.identity.RenewAfter.Sub(want).Abs() > 2*time.Minute {
		t.Errorf("renewed again after %s, want %s", second.identity.RenewAfter, want)
	}
}

func TestADeviceWithAKeyOfItsOwnHasNothingToRenew(t *testing.T) {
	b := newBoard(t, newGateway(t))
	if err := b.Run(t.Context()); err != nil || b.g.requests() > 0 {
		t.Error(err)
	}
}
