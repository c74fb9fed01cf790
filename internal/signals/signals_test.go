package signals_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"iotbridge/internal/signals"
)

// TestMain is also the program under test.
func TestMain(m *testing.M) {
	if os.Getenv("SIGNALS_TEST_CHILD") == "" {
		os.Exit(m.Run())
	}
	background := signal.Ignored(syscall.SIGINT)
	ctx, stop := signals.Context(context.Background())
	defer stop()
	fmt.Println("ready, in the background:", background)
	<-ctx.Done()
	fmt.Println("ending")
	select {} // never ends by itself
}

func TestTheFirstSignalEndsTheContextAndTheSecondTheProcess(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), "SIGNALS_TEST_CHILD=1")
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			background := false
			for _, want := range []string{"ready", "ending"} {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
					t.Fatalf("the child said %q, want %q", lines.Text(), want)
				}
				background = background || strings.HasSuffix(lines.Text(), "true")
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
			}
			// Who was started in the background ignores SIGINT, if nobody listens.
			want := sig
			if sig == syscall.SIGINT && background {
				want = syscall.SIGTERM
				if err := cmd.Process.Signal(want); err != nil {
					t.Fatal(err)
				}
			}
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) {
				t.Fatalf("the child ended with %v, want a signal", err)
			}
			if got := exit.Sys().(syscall.WaitStatus).Signal(); got != want {
				t.Fatalf("ended by %v, want %v", got, want)
			}
		})
	}
}

func TestStopEndsTheContext(t *testing.T) {
	ctx, stop := signals.Context(t.Context())
	stop()
	<-ctx.Done()
}
