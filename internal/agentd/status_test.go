package agentd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/device"
)

func sending() device.Status {
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	return device.Status{
		Time: at, Link: "sending", Since: at, LastPuback: at, LastSample: at, Interval: "5s", Sent: 7, ClockSynced: true,
		Spool: device.Depth{Records: 3, Bytes: 300, Dropped: 1}, SensorErrors: map[string]uint64{"28-0316a2795b12": 2},
	}
}

// alive is what a running agent with this status has written.
func alive(t *testing.T, dir string, s device.Status) {
	t.Helper()
	clock := newClock()
	if err := writeState(dir, state{PID: os.Getpid(), Boot: clock.Boot(), SinceBoot: clock.SinceBoot(), Status: s}); err != nil {
		t.Fatal(err)
	}
}

func TestStatusTellsHowTheAgentFares(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	status := Status{Place: Place{SpoolDir: dir}}

	if err := status.Run(&ConfigFile{}, &out); err == nil || !strings.Contains(err.Error(), "no agent runs") {
		t.Errorf("none runs: got %v", err)
	}
	alive(t, dir, sending())
	if at, err := os.Stat(filepath.Join(dir, stateFile)); err != nil || at.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", at.Mode(), err)
	}
	if err := status.Run(&ConfigFile{}, &out); err != nil {
		t.Error(err)
	}
	var got struct {
		Running bool
		Link    string
		Sent    int
		Spool   struct{ Records int }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || !got.Running || got.Link != "sending" || got.Sent != 7 ||
		!strings.Contains(out.String(), `"spool":{"records":3,"bytes":300,"dropped":1}`) {
		t.Errorf("%+v, %v: %s", got, err, &out)
	}

	trouble := sending()
	trouble.Link, trouble.LastError = "connecting", "no such host"
	alive(t, dir, trouble)
	if err := status.Run(&ConfigFile{}, &out); !errors.Is(err, ErrNotSending) || !strings.Contains(err.Error(), "connecting") {
		t.Errorf("not sending: got %v", err)
	}
}

func TestStatusForAPerson(t *testing.T) {
	var out bytes.Buffer
	s := sending()
	s.LastError, s.ClockSynced, s.LastPuback = "gateway: no such host", false, time.Time{}
	if err := (&state{Status: s}).table(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"link            sending since", "last confirmed  never", "3 readings, 300 bytes", "lost            1", "gateway: no such host", "not plausible"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}

// What an agent left behind that was killed, or that ran before the machine was
// started anew, is not taken for one that runs.
func TestAnAgentThatHasGoneIsNotShown(t *testing.T) {
	clock := newClock()
	for name, s := range map[string]state{
		"another boot": {PID: os.Getpid(), Boot: "other", SinceBoot: clock.SinceBoot()},
		"the future":   {PID: os.Getpid(), Boot: clock.Boot(), SinceBoot: clock.SinceBoot() + time.Hour},
		"no process":   {PID: 1 << 30, Boot: clock.Boot(), SinceBoot: clock.SinceBoot()},
	} {
		dir := t.TempDir()
		if err := writeState(dir, s); err != nil {
			t.Fatal(err)
		}
		if got, err := readState(dir, clock); got != nil || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// B8: an agent that cannot write its state is not said to have gone.
func TestB8_AnAgentWhoseDiskIsFullIsNotCalledGone(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	if err := writeState(dir, state{PID: os.Getpid(), Boot: clock.Boot(), SinceBoot: clock.SinceBoot() - 4*beat}); err != nil {
		t.Fatal(err)
	}
	status := Status{Place: Place{SpoolDir: dir}}
	if err := status.Run(&ConfigFile{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "is full") {
		t.Errorf("got %v", err)
	}
}

// D2: the state is not written through what somebody has put there.
func TestD2_TheStateReplacesALinkAndDoesNotFollowIt(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	write(t, victim, "precious", 0o600)
	for _, name := range []string{stateFile, "." + stateFile} {
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readState(dir, newClock()); err == nil {
		t.Error("a link was read")
	}
	alive(t, dir, sending())
	if got := read(t, victim); string(got) != "precious" {
		t.Errorf("it is %q now", got)
	}
	if at, err := os.Lstat(filepath.Join(dir, stateFile)); err != nil || !at.Mode().IsRegular() {
		t.Errorf("%v, %v", at.Mode(), err)
	}
}

// The file is written at most once a second, when there is news or the last ones look
// old, and is gone at the end.
func TestTheStateIsWrittenWhenThereIsNews(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, stateFile)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var sent atomic.Uint64
		r := reporter{dir: dir, clock: bubble{time.Now()}, status: func() device.Status {
			now := sending()
			now.Time, now.Sent = time.Now(), sent.Load()
			return now
		}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.Run(ctx, func(err error) { t.Error(err) })
		}()
		written := func() state {
			synctest.Wait()
			var s state
			if err := json.Unmarshal(read(t, name), &s); err != nil {
				t.Error(err)
			}
			return s
		}
		first := written()
		<-time.After(3*time.Second + time.Second/2)
		if again := written(); again.SinceBoot != first.SinceBoot {
			t.Errorf("written without news at %s", again.SinceBoot)
		}
		sent.Add(1)
		<-time.After(time.Second)
		if again := written(); again.Sent != first.Sent+1 || again.SinceBoot != 4*time.Second {
			t.Errorf("the news of 3.5 s: sent %d, written at %s", again.Sent, again.SinceBoot)
		}
		<-time.After(beat)
		if again := written(); again.SinceBoot != 4*time.Second+beat {
			t.Errorf("written at %s", again.SinceBoot)
		}
		cancel()
		<-ended
		if _, err := os.Stat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("still there: %v", err)
		}
	})
}

// bubble is a clock of synctest's time.
type bubble struct{ start time.Time }

func (b bubble) Now() time.Time           { return time.Now() }
func (b bubble) SinceBoot() time.Duration { return time.Since(b.start) }
func (b bubble) Boot() string             { return "boot" }
func (b bubble) Plausible() bool          { return true }

func TestAStateThatCannotBeWrittenIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		told := 0
		r := reporter{dir: filepath.Join(t.TempDir(), "absent"), clock: bubble{time.Now()}, status: sending}
		r.Run(ctx, func(error) { told++ })
		if told != 1 {
			t.Errorf("told %d times", told)
		}
	})
}
