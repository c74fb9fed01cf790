package rig

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"iotbridge/internal/loadtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, // of a package that starts it for nobody
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"))
}

// serve runs a part in this process, and returns a load for it and what ends it.
func serve(t *testing.T, task Task) (loadtest.Load, func()) {
	t.Helper()
	in, tell := io.Pipe()
	hear, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Serve(context.Background(), in, out, zap.NewNop())
		out.CloseWithError(io.EOF)
		ended <- err
	}()
	if err := json.NewEncoder(tell).Encode(task); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(hear).ReadBytes('\n')
	if err != nil {
		t.Fatal(<-ended)
	}
	var at place
	if err := json.Unmarshal(line, &at); err != nil {
		t.Fatal(err)
	}
	stop := func() {
		if tell.Close(); ended != nil {
			if err := <-ended; err != nil {
				t.Error(err)
			}
			ended = nil
		}
	}
	t.Cleanup(stop)
	load := loadtest.Load{Address: at.Address, TLS: loadtest.ClientTLS(false), Devices: task.Devices, Rates: []int{100, 300}, For: 200 * time.Millisecond}
	load.TLS.ServerName, load.TLS.RootCAs = "127.0.0.1", x509.NewCertPool()
	load.TLS.RootCAs.AppendCertsFromPEM([]byte(at.Authority))
	return load, stop
}

func fleet(t *testing.T, n int) []loadtest.Device {
	t.Helper()
	devices, err := loadtest.NewFleet(Registry, "device", n)
	if err != nil {
		t.Fatal(err)
	}
	return devices
}

// bothWays runs a test on the bare server and on the gateway.
func bothWays(t *testing.T, test func(t *testing.T, task Task)) {
	t.Run("bare", func(t *testing.T) { test(t, Task{Part: Bare, Registry: Registry, Devices: fleet(t, 20)}) })
	t.Run("gateway", func(t *testing.T) {
		answers, _ := serve(t, Task{Part: PubSub})
		test(t, Task{Part: Gateway, Registry: Registry, Devices: fleet(t, 20), PubSub: answers.Address})
	})
}

func TestEveryMessageIsAcknowledged(t *testing.T) {
	bothWays(t, func(t *testing.T, task Task) {
		load, _ := serve(t, task)
		r, err := load.Run(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range r.Steps {
			// A fifth of the time more than what is measured.
			if want := int64(load.Rates[i]) * 240 / 1000; s.Sent+s.LeftOut != want {
				t.Errorf("%d messages at %d a second, want %d", s.Sent+s.LeftOut, s.Rate, want)
			}
			if s.P50 <= 0 || s.P99 < s.P50 || task.Part == Gateway && s.P50 < 20 {
				t.Errorf("PUBACKs after %v and %v ms", s.P50, s.P99)
			}
		}
	})
}

func TestOverTLS12(t *testing.T) {
	load, _ := serve(t, Task{Part: Bare, Registry: Registry, Devices: fleet(t, 1)})
	roots := load.TLS.RootCAs
	load.TLS = loadtest.ClientTLS(true)
	load.TLS.ServerName, load.TLS.RootCAs = "127.0.0.1", roots
	if _, err := load.Run(t.Context(), "x"); err != nil {
		t.Error(err)
	}
}

func TestADeviceWithAnothersKeyIsTurnedAway(t *testing.T) {
	bothWays(t, func(t *testing.T, task Task) {
		load, _ := serve(t, task)
		load.Devices = fleet(t, 20) // the same names, other keys
		if _, err := load.Run(t.Context(), "x"); err == nil {
			t.Error("it is let in")
		}
	})
}

func TestAServerThatEndsIsAnError(t *testing.T) {
	bothWays(t, func(t *testing.T, task Task) {
		load, stop := serve(t, task)
		load.Tell = func(what string) {
			if strings.Contains(what, "300 messages") {
				stop()
			}
		}
		r, err := load.Run(t.Context(), "x")
		if err == nil || !strings.Contains(err.Error(), "the server ended 20 of 20 connections") {
			t.Errorf("got %v", err)
		}
		if r == nil || len(r.Steps) != 1 {
			t.Errorf("what was measured before is lost: %+v", r)
		}
	})
}

func TestATaskThatIsNone(t *testing.T) {
	for task, want := range map[string]string{"": "no task", "x\n": "not a task", `{"part":"x"}` + "\n": "is no part"} {
		in, tell := io.Pipe()
		go func() { io.WriteString(tell, task); tell.Close() }()
		if err := Serve(t.Context(), in, io.Discard, zap.NewNop()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", task, err, want)
		}
	}
}
