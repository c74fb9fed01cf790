//go:build unix

package sensor

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"iotbridge/device"
)

// sh runs a line of shell as the command.
func sh(line string) *Exec { return &Exec{Argv: []string{"sh", "-c", line}} }

func TestACommandsNumberOrObjectIsASample(t *testing.T) {
	for line, want := range map[string]device.Sample{
		`echo 21.437`:                         {Temperature: 21.437},
		`printf ' \n-40\n\n'`:                 {Temperature: -40},
		`echo '{"temperature":1e1}'`:          {Temperature: 10},
		`echo 20; echo hidden >&2`:            {Temperature: 20},
		`read line || echo 19.5`:              {Temperature: 19.5}, // standard input is empty
		`echo "{\"temperature\":1,\"b\":$#}"`: {Temperature: 1, Extra: []byte(`"b":0`)},
	} {
		samples, err := sh(line).Sample(t.Context())
		if err != nil || len(samples) != 1 || samples[0].Temperature != want.Temperature || string(samples[0].Extra) != string(want.Extra) {
			t.Errorf("%s: %+v, %v", line, samples, err)
		}
	}
}

func TestACommandsFaults(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\necho 21\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sensor *Exec
		class  Class
		says   string
	}{
		"no such program":  {&Exec{Argv: []string{"/no/such/program"}}, Missing, "/no/such/program"},
		"not in the path":  {&Exec{Argv: []string{"no-such-program"}}, Missing, "no-such-program"},
		"no command":       {&Exec{}, Missing, "no command"},
		"not executable":   {&Exec{Argv: []string{plain}}, IO, "permission denied"},
		"exit status":      {sh("echo 21; exit 3"), IO, "exit status 3"},
		"its reason":       {sh("echo 'no i2c bus' >&2; echo more >&2; exit 1"), IO, "exit status 1: no i2c bus"},
		"a signal":         {sh("kill -9 $$"), IO, "killed"},
		"nothing":          {sh("true"), Format, "printed nothing"},
		"a word":           {sh("echo warm"), Format, `"warm"`},
		"two numbers":      {sh("echo 21; echo 22"), Format, "neither"},
		"more than 64 KiB": {sh("head -c 65537 /dev/zero"), Format, "more than 65536"},
		"without end":      {sh("while :; do echo 11111111111111111111; done"), Format, "more than 65536"},
	} {
		t.Run(name, func(t *testing.T) {
			samples, err := c.sensor.Sample(t.Context())
			expect(t, samples, err, nil, []string{string(c.class)})
			if !strings.Contains(err.Error(), c.says) || strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("%q, want %q in it", err, c.says)
			}
		})
	}
}

func TestACommandsHeirToItsOutputIsAFault(t *testing.T) {
	hurry(t, &grace, time.Millisecond)
	samples, err := sh("sleep 1000 & echo 21").Sample(t.Context())
	expect(t, samples, err, nil, []string{"io"})
	if !strings.Contains(err.Error(), "left a process behind") {
		t.Errorf("%q", err)
	}
}

func TestWhatACommandSaysIsCutAndPrintable(t *testing.T) {
	_, err := sh(`printf '\033[31m\377%01000d' 7 >&2; exit 1`).Sample(t.Context())
	if got := err.Error(); len(got) > 300 || strings.Contains(got, "\x1b") || !utf8.ValidString(got) || !strings.Contains(got, "0000") {
		t.Errorf("%q", got)
	}
}

func TestACommandSeesNothingOfTheAgent(t *testing.T) {
	t.Setenv("AGENT_HOST", "gateway.example.com")
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("TZ", "Europe/Paris")
	samples, err := sh(`echo "{\"temperature\":1,\"seen\":\"${AGENT_HOST-}${NOTIFY_SOCKET-}$TZ\"}"`).Sample(t.Context())
	if err != nil || string(samples[0].Extra) != `"seen":"Europe/Paris"` {
		t.Errorf("%s, %v", samples[0].Extra, err)
	}
}

func TestWhatACommandPrintsIsBounded(t *testing.T) {
	if r := sh("while :; do echo 1111111111111111; done").run(t.Context()); r.err == nil || r.err.Class != Format {
		t.Errorf("a command that prints for ever, and has all the time: %v", r.err)
	}
	full := 0
	b := &bounded{most: 1000, full: func() { full++ }}
	n, err := io.Copy(b, strings.NewReader(strings.Repeat("7", 1<<20)))
	if n != 1<<20 || err != nil || len(b.kept) != 1000 || full == 0 {
		t.Errorf("%d taken, %v, %d kept, told %d times", n, err, len(b.kept), full)
	}
}

// The command and what it started hold a pipe open; when it ends, they have.
func TestB4_ACommandThatHangsIsKilledWithAllThatItStarted(t *testing.T) {
	for name, line := range map[string]string{
		"hangs":                         `sleep 1000 & exec 1>&-; sleep 1000`,
		"hangs and hears no signal":     `trap '' TERM INT HUP; sleep 1000 & sleep 1000`,
		"ends, and something runs on":   `sleep 1000 >&- 2>&- & echo 21`,
		"writes too much, and runs on":  `sleep 1000 & head -c 99999 /dev/zero; sleep 1000`,
		"prints a value and then hangs": `echo 21; sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				f, err := os.Open(pipe) // waits for the command
				if err != nil {
					ended <- err
					return
				}
				defer f.Close()
				if _, err := f.Read(make([]byte, 1)); err != nil {
					ended <- err
					return
				}
				if !strings.HasPrefix(name, "ends") {
					cancel() // it runs
				}
				_, err = f.Read(make([]byte, 1))
				ended <- err
			}()
			e := sh(`exec 9>"$0"; printf x >&9; ` + line)
			e.Argv = append(e.Argv, pipe)
			samples, err := e.Sample(ctx)
			switch {
			case strings.HasPrefix(name, "ends"):
				expect(t, samples, err, []string{"21"}, nil)
			case len(samples) != 0 || err == nil:
				t.Errorf("samples %v, %v", samples, err)
			}
			if e.process.busy() {
				t.Error("Sample left the process behind")
			}
			select {
			case err := <-ended:
				if err == nil || errors.Is(err, os.ErrNotExist) {
					t.Errorf("the pipe: %v", err)
				}
			case <-time.After(time.Minute):
				t.Fatal("something that the command started still runs")
			}
		})
	}
}

func TestB4_ACommandHasItsTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	samples, err := sh("sleep 1000").Sample(ctx)
	expect(t, samples, err, nil, []string{"timeout"})
	samples, err = sh("echo 21").Sample(t.Context())
	expect(t, samples, err, []string{"21"}, nil)
}
