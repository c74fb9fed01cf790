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
// moment of its start, the others at a random moment after something was confirmed. What
// the gateway had confirmed to devices outside is then in a table or in the quarantine,
// each message where it belongs.
func TestKill9_NothingAcknowledgedIsLost(t *testing.T) {
	kills := 3
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", killsVariable, err)
		}
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	dir, since := t.TempDir(), time.Now()
	books := &demo.Books{}
	for i := range kills {
		publishAndKill(t, dir, books, i, i%3 != 2, time.Duration(random.Int64N(int64(time.Second))))
	}

	// One run in peace takes in what is left.
	process, ended := startLocal(t, dir)
	s, err := awaitSite(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := openTables(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Client.Close()
	settling, cancel := context.WithTimeout(t.Context(), 4*time.Minute) // a killed worker's leases must lapse
	defer cancel()

	if err := books.Settled(settling, tables, since); err != nil {
		t.Error(err)
	}
	account, err := books.Reconcile(t.Context(), tables, since)
	if err != nil {
		t.Fatal(err)
	}

	t.Logf("seed %d: %d kills: %+v", seed, kills, *account)
	if !account.Exact() {
		t.Error("lost, or not where it belongs")
	}
	if err := process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the last run ended with %v", err)
	}
}

// startLocal starts the system without devices. The channel has the process's end.
func startLocal(t *testing.T, dir string) (*os.Process, <-chan error) {
	t.Helper()
	// A killed run's file would name ports that nobody serves.
	if err := site.Remove(dir); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(t), "local", "--data", dir, "--ephemeral", "--parts", "cloud,gateway,worker", "--log-level", "error")
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
func publishAndKill(t *testing.T, dir string, books *demo.Books, run int, serving bool, after time.Duration) {
	t.Helper()
	process, ended := startLocal(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before, published := books.Published(), make(chan struct{})
	go func() {
		defer close(published)
		publishUntil(ctx, dir, books, run)
	}()
	if serving && !awaitMore(books, before) {
		t.Errorf("run %d: nothing was confirmed in %v: nothing is proven", run, firstConfirmation)
	}
	<-time.After(after)
	if err := process.Signal(syscall.SIGKILL); err != nil {
		t.Errorf("run %d ended by itself: %v, %v", run, err, <-ended)
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
func publishUntil(ctx context.Context, dir string, books *demo.Books, run int) {
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
	fleet := &demo.Fleet{Devices: 6, Spoofers: 2, Run: "kill" + strconv.Itoa(run)}
	_ = sendAll(ctx, s, fleet, 2*time.Millisecond, books, zap.NewNop()) // killed, while it registers too
}
