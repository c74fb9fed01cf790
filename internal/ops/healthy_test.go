package ops_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iotbridge/internal/ops"
)

func TestWhoHoldsIsHealthy(t *testing.T) {
	url := serve(t, "127.0.0.1:0", ops.Server{Ready: func() []string { return []string{"the table is missing"} }})
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	for _, addr := range []string{"127.0.0.1:" + port, "localhost:" + port, ":" + port, "0.0.0.0:" + port} {
		if err := ops.Healthy(t.Context(), addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestWhoDoesNotAnswerIsNotHealthy(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer broken.Close()
	if err := ops.Healthy(t.Context(), broken.Listener.Addr().String()); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("who answers otherwise: %v", err)
	}
	if err := ops.Healthy(t.Context(), "9102"); err == nil {
		t.Error("an address without a host is one")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ops.Healthy(ended, broken.Listener.Addr().String()); !errors.Is(err, context.Canceled) {
		t.Errorf("who is not waited for: %v", err)
	}
}
