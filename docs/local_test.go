package docs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The README's first command is started, its other commands are run beside it as a
// reader would, and Ctrl-C has to end it with books that balance.
func TestTheREADMEsCommandsRun(t *testing.T) {
	build(t)
	var beside []example
	var local *example
	for _, e := range examples(t) {
		switch {
		case e.page != "README.md" || e.program != "iotbridge":
		case e.command()[0] == "local":
			local = &e
		default:
			beside = append(beside, e)
		}
	}
	if local == nil || len(beside) == 0 {
		t.Fatal("the README has lost its commands")
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	data := filepath.Join(t.TempDir(), "data")
	var out, stderr bytes.Buffer
	system := exec.CommandContext(ctx, filepath.Join(bin, "iotbridge"),
		append(slices.Clone(local.args), "--data", data, "--ephemeral", "--interval", "50ms", "--json")...)
	system.Stdout, system.Stderr = &out, &stderr
	if err := system.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- system.Wait() }()
	until(ctx, t, ended, &stderr, func() bool {
		list, err := exec.CommandContext(ctx, filepath.Join(bin, "iotbridge"), "quarantine", "list", "--local", data).Output()
		return err == nil && bytes.Contains(list, []byte("device_mismatch"))
	})
	for _, e := range beside {
		args := slices.Clone(e.args)
		if strings.Contains(help(t, "iotbridge", e.command()[:min(2, len(e.command()))]...), "--local") {
			args = append(args, "--local", data)
		}
		if text, err := exec.CommandContext(ctx, filepath.Join(bin, "iotbridge"), args...).CombinedOutput(); err != nil || len(text) == 0 {
			t.Errorf("iotbridge %s: %v\n%s", strings.Join(args, " "), err, text)
		}
	}

	if err := system.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatalf("iotbridge local: %v\n%s%s", err, &out, &stderr)
	}
	var books struct{ Published, Stored, Lost, Duplicates *int }
	if err := json.Unmarshal(out.Bytes(), &books); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if books.Published == nil || *books.Published == 0 || books.Stored == nil || *books.Stored == 0 ||
		books.Lost == nil || *books.Lost != 0 || books.Duplicates == nil || *books.Duplicates != 0 {
		t.Errorf("the books are %s", &out)
	}
}

// until returns when the liar is caught.
func until(ctx context.Context, t *testing.T, ended <-chan error, stderr *bytes.Buffer, caught func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !caught() {
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("it ended by itself: %v\n%s", err, stderr)
		case <-ctx.Done():
			t.Fatal("nothing came into the quarantine")
		}
	}
}
