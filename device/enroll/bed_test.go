package enroll

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const serial = "10000000abcdef01"

// clock is told the time.
type clock struct {
	mu  sync.Mutex
	at  time.Time
	bad int // how often it is not plausible yet
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Plausible() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad--
	return c.bad < 0
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// board is one that asks a gateway. Its waits take no time, but its clock goes on.
type board struct {
	*Enroller
	t      *testing.T
	g      *gateway
	clock  *clock
	disk   *disk
	sleeps []time.Duration
	// slept is called in each wait; nil: none
	slept func(n int)

	accepts bool // of a test
	waits   int  // likewise
}

func newBoard(t *testing.T, g *gateway) *board {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bootstrap.pem"), 0o644, armour(blockCertificate, g.first.Certificate[0]))
	key, err := x509.MarshalPKCS8PrivateKey(g.first.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "bootstrap.key"), 0o600, string(pem.EncodeToMemory(&pem.Block{Type: blockKey, Bytes: key})))
	b := &board{t: t, g: g, clock: &clock{at: time.Now()}, disk: newDisk()}
	g.now = b.clock.Now
	b.start(dir)
	return b
}

// start is what a boot makes anew.
func (b *board) start(dir string) {
	b.Enroller = &Enroller{
		Key: filepath.Join(dir, "ec_private.pem"), URL: b.g.url, Profile: "batch",
		Bootstrap: Bootstrap{filepath.Join(dir, "bootstrap.pem"), filepath.Join(dir, "bootstrap.key")},
		Roots:     func() ([]*x509.Certificate, error) { return []*x509.Certificate{b.g.server.certificate}, nil },
		Unit:      func() (Unit, error) { return Unit{serial, []string{"b8:27:eb:00:00:01"}}, nil },
		Clock:     b.clock,
		open:      func() (files, func(), error) { return b.disk, func() {}, nil },
	}
	b.Enroller.sleep = func(ctx context.Context, d time.Duration, _ <-chan struct{}) {
		b.sleeps = append(b.sleeps, d)
		b.clock.pass(d)
		if b.g.requests() > 300 || len(b.sleeps) > 20_000 {
			b.t.Fatalf("it does not come to an end: %+v", b.Status())
		}
		if b.slept != nil {
			b.slept(len(b.sleeps))
		}
	}
}

func (b *board) reboot(l loss) {
	b.disk.restart(l)
	b.slept = nil
	b.start(filepath.Dir(b.Key))
}

// until runs f until the power goes, or it ends by itself.
func (b *board) until(cut int, f func(ctx context.Context)) (power bool) {
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	b.disk.steps, b.disk.cutAt = 0, cut
	b.disk.off = func() { power = true; cancel() }
	f(ctx)
	b.disk.off = nil
	return power
}

// enrolled is what the key's file holds.
func (b *board) enrolled() *enrolled {
	b.t.Helper()
	own, err := readEnrolled(b.disk, b.name())
	if err != nil || own == nil {
		b.t.Fatalf("the key's file: %v, %v", own, err)
	}
	return own
}

func (b *board) has(name string) bool { return b.disk.now[name] != nil }

func write(t testing.TB, name string, mode os.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}
