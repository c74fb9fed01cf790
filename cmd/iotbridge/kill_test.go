package main

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/internal/demo"
	"iotbridge/internal/site"
)

// killsVariable sets how often the process is killed; make kill-test wants 50.
const killsVariable = "IOTBRIDGE_KILLS"

// Cloud, gateway and worker in one process are killed: one run in three at a random
// moment of its start, the others at a random moment after something was confirmed. The
// devices live on, in this process, and each run's go on with the spools of the run
// before. Each reading that a spool has taken is in a table or in the quarantine in the
// end, each where it belongs.
func TestKill9_NothingAcknowledgedIsLost(t *testing.T) {
	kills, random := killing(t)
	dir, since := t.TempDir(), time.Now()
	books := &demo.Books{}
	for i := range kills {
		publishAndKill(t, dir, books, i%3 != 2, time.Duration(random.Int64N(int64(time.Second))))
	}

	// One run in peace takes in what is left.
	process, ended := startLocal(t, dir, withoutDevices)
	s, err := awaitSite(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	still := make(chan struct{})
	close(still)
	if err := publishAt(t.Context(), s, dir, books, still); err != nil {
		t.Fatal(err)
	}
	if kept, published := books.Kept(), books.Published(); kept != published {
		t.Errorf("the spools have taken %d readings, and %d are confirmed", kept, published)
	}
	tables, err := openTables(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Client.Close()
	settleKilled(t, books, tables, since)
	interrupt(t, process, ended)
}

// killing says how often to kill, and when.
func killing(t *testing.T) (kills int, random *rand.Rand) {
	t.Helper()
	kills = 3
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killsVariable, err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d kills", seed, kills)
	return kills, rand.New(rand.NewPCG(seed, 0))
}

// settleKilled waits until the books are exact.
func settleKilled(t *testing.T, books *demo.Books, tables demo.Tables, since time.Time) {
	t.Helper()
	settling, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // a killed worker's leases must lapse
	defer cancel()
	if err := books.Settled(settling, tables, since); err != nil {
		t.Error(err)
	}
	account, err := books.Reconcile(t.Context(), tables, since)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *account)
	if !account.Exact() {
		t.Error("lost, or not where it belongs")
	}
}

func interrupt(t *testing.T, process *os.Process, ended <-chan error) {
	t.Helper()
	if err := process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the last run ended with %v", err)
	}
}

// withoutDevices are the parts that are killed while the devices live.
var withoutDevices = []string{"--parts", "cloud,gateway,worker"}

// startLocal starts the system. The channel has the process's end.
func startLocal(t *testing.T, dir string, flags []string) (*os.Process, <-chan error) {
	t.Helper()
	// A killed run's file would name ports that nobody serves.
	if err := site.Remove(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), append([]string{"local", "--data", dir, "--ephemeral", "--log-level", "error"}, flags...)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return cmd.Process, ended
}

// firstConfirmation is how long the slowest machine may take to serve.
const firstConfirmation = 2 * time.Minute

// publishAndKill publishes as soon as the process serves, and kills it so long after its
// start or, if it is to be serving, after the run's first confirmation.
func publishAndKill(t *testing.T, dir string, books *demo.Books, serving bool, after time.Duration) {
	t.Helper()
	process, ended := startLocal(t, dir, withoutDevices)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, published := books.Published(), make(chan struct{})
	go func() {
		defer close(published)
		publishUntil(ctx, dir, books)
	}()
	if serving && !awaitMore(books, before) {
		t.Errorf("nothing was confirmed in %v: nothing is proven", firstConfirmation)
	}
	<-time.After(after)
	if err := process.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("a run ended by itself: %v, %v", err, <-ended)
	} else {
		<-ended
	}
	cancel()
	<-published
}

// awaitMore waits until more is in the books than before.
func awaitMore(books *demo.Books, before int) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(firstConfirmation)
	for books.Published() == before {
		select {
		case <-tick.C:
		case <-late:
			return false
		}
	}
	return true
}

// publishUntil publishes until ctx ends, once there is a system to publish to.
func publishUntil(ctx context.Context, dir string, books *demo.Books) {
	var s *site.Site
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for s == nil {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s, _ = site.Read(dir)
		}
	}
	_ = publishAt(ctx, s, dir, books, nil) // killed, while it registers too
}

// publishAt lets a fleet measure until stop is closed, and send what it holds.
func publishAt(ctx context.Context, s *site.Site, dir string, books *demo.Books, stop <-chan struct{}) error {
	p, err := newPublisher(s, dir, &demo.Fleet{Devices: 6, Spoofers: 2}, 20*time.Millisecond, books, zap.NewNop())
	if err != nil {
		return err
	}
	if err := registerFleet(ctx, s, p); err != nil {
		return err
	}
	return p.Run(ctx, stop)
}
