package ingestd_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iotbridge/internal/ingestd"
)

// listen takes a free address.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// ready asks a worker whether it is, and why not.
func ready(t *testing.T, address string) (bool, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	why, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode == http.StatusOK, string(why)
}

// A worker that has reached nothing yet is not ready, and a drain does not take
// silence for the end.
func TestUnreachedIsNeitherReadyNorDrained(t *testing.T) {
	t.Parallel()
	hole := listen(t).Addr().String() // takes connections and never answers
	for _, args := range [][]string{{"--drain", "--drain-idle=100ms"}, {"--drain", "--drain-idle=100ms", "--dry-run"}} {
		settings, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		settings.Endpoints = ingestd.Endpoints{PubSub: hole, BigQuery: hole, BigQueryStorage: hole}
		settings.Listener = listen(t)
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- ingestd.Run(ctx, settings, quiet(), registry()) }()
		if !settings.DryRun {
			ok, why := ready(t, settings.Listener.Addr().String())
			for _, place := range []string{table, quarantine} {
				if ok || !strings.Contains(why, place) {
					t.Errorf("ready %v, reasons %q do not name %s", ok, why, place)
				}
			}
		}
		select {
		case err := <-ran:
			t.Errorf("%v: ended before it was told to: %v", args, err)
			cancel()
		case <-time.After(2 * time.Second):
			cancel()
			if err := <-ran; err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
	}
}

// What is there and answers makes ready, without a message.
func TestReachedIsReady(t *testing.T) {
	s := start(t)
	s.subscribe()
	settings, err := parse([]string{"--create-tables"})
	if err != nil {
		t.Fatal(err)
	}
	settings.Endpoints = ingestd.Endpoints{PubSub: s.cloud.PubSub(), BigQuery: s.cloud.BigQuery(), BigQueryStorage: s.cloud.BigQueryStorage()}
	settings.Listener = listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- ingestd.Run(ctx, settings, quiet(), registry()) }()
	end := time.Now().Add(2 * time.Minute)
	for {
		ok, why := ready(t, settings.Listener.Addr().String())
		if ok {
			break
		}
		if time.Now().After(end) {
			t.Errorf("not ready: %s", why)
			break
		}
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}
