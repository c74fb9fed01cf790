package ops_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iotbridge/internal/ops"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs the server until the test ends, and returns its URL.
func serve(t *testing.T, addr string, s ops.Server) string {
	t.Helper()
	l, err := ops.Listen(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	s.Listener, s.Metrics = l, ops.NewRegistry()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://127.0.0.1:" + port
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestReadinessSaysWhyInWords(t *testing.T) {
	var reasons []string
	url := serve(t, "127.0.0.1:0", ops.Server{Ready: func() []string { return reasons }})
	for _, c := range []struct {
		reasons []string
		status  int
		body    string
	}{
		{nil, 200, "ok\n"},
		{[]string{"p.d.t: no such table", "s: permission denied"}, 503, "p.d.t: no such table\ns: permission denied\n"},
		{nil, 200, "ok\n"},
	} {
		reasons = c.reasons
		if status, body := get(t, url+"/readyz"); status != c.status || body != c.body {
			t.Errorf("got %d %q, want %d %q", status, body, c.status, c.body)
		}
		if status, body := get(t, url+"/healthz"); status != 200 || body != "ok\n" {
			t.Errorf("healthz: %d %q", status, body)
		}
	}
}

func TestAProgramWithoutReasonsIsReady(t *testing.T) {
	if status, _ := get(t, serve(t, "127.0.0.1:0", ops.Server{})+"/readyz"); status != 200 {
		t.Errorf("got %d", status)
	}
}

func TestMetricsNameTheBuild(t *testing.T) {
	status, body := get(t, serve(t, "127.0.0.1:0", ops.Server{})+"/metrics")
	for _, want := range []string{`iotbridge_build_info{goversion="go1.`, "go_goroutines ", "process_open_fds "} {
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%d, no %s", status, want)
		}
	}
}

func TestProfilesStayOnLoopbackUnlessAllowed(t *testing.T) {
	for _, c := range []struct {
		addr    string
		allowed bool
		status  int
	}{
		{"127.0.0.1:0", false, 200},
		{"0.0.0.0:0", false, 404},
		{"0.0.0.0:0", true, 200},
	} {
		url := serve(t, c.addr, ops.Server{Pprof: c.allowed})
		if status, _ := get(t, url+"/debug/pprof/goroutine?debug=1"); status != c.status {
			t.Errorf("%s, allowed %v: got %d, want %d", c.addr, c.allowed, status, c.status)
		}
	}
}

func TestAnythingElseIsNotFound(t *testing.T) {
	url := serve(t, "127.0.0.1:0", ops.Server{})
	for _, path := range []string{"/", "/debug/vars", "/metrics/"} {
		if status, _ := get(t, url+path); status != 404 {
			t.Errorf("%s: got %d", path, status)
		}
	}
}

func TestATakenPortIsNamedWithItsCure(t *testing.T) {
	l, err := ops.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = ops.Listen(t.Context(), l.Addr().String())
	if err == nil || !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "--ops") {
		t.Errorf("got %v", err)
	}
}

func TestRunEndsThoughAnAnswerIsOutstanding(t *testing.T) {
	l, err := ops.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	ready := func() []string {
		close(asked)
		<-release
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- (&ops.Server{Listener: l, Metrics: ops.NewRegistry(), Ready: ready}).Run(ctx) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-asked
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run goes on")
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection outlives the server: %v", err)
	}
}
