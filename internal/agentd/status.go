package agentd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"iotbridge/device"
	"iotbridge/device/enroll"
)

// ErrNotSending is status's verdict on an agent that runs, and does not get through.
var ErrNotSending = errors.New("not sending")

const (
	stateFile = "status.json"
	maxState  = 64 << 10
	// A state that has not changed is written again this often, and one that is three
	// times as old is of an agent that has gone.
	beat = 10 * time.Second
)

// state is what the file holds: the status, and what tells whether its writer lives.
type state struct {
	PID       int           `json:"pid"`
	Boot      string        `json:"boot,omitempty"`
	SinceBoot time.Duration `json:"sinceBoot"`
	device.Status
	Enrolment enroll.Status `json:"enrolment,omitzero"`
}

// reporter writes the agent's status for those who ask on this machine.
type reporter struct {
	dir    string
	clock  device.Clock
	status func() device.Status
	every  time.Duration // 0 is a second

	enrolment func() enroll.Status // nil: there is none
}

// Run writes the file, when there is news, once a second, until ctx ends; then it
// takes it away. That the file cannot be written is told once by err and harms
// nothing else.
func (r *reporter) Run(ctx context.Context, fault func(error)) {
	every := r.every
	if every == 0 {
		every = time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer os.Remove(filepath.Join(r.dir, stateFile))
	var last state
	told := false
	for {
		now := state{PID: os.Getpid(), Boot: r.clock.Boot(), SinceBoot: r.clock.SinceBoot(), Status: r.status()}
		if r.enrolment != nil {
			now.Enrolment = r.enrolment()
		}
		if changed(last, now) {
			err := writeState(r.dir, now)
			if last = now; err != nil && !told {
				told = true
				fault(err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// changed says whether there is news, or the old news are about to look dead.
func changed(last, now state) bool {
	if now.SinceBoot-last.SinceBoot >= beat {
		return true
	}
	last.SinceBoot, last.Time = now.SinceBoot, now.Time
	return !reflect.DeepEqual(last, now)
}

// writeState replaces the file. It is not synced: after a power cut nobody wants it.
func writeState(dir string, s state) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	tmp := filepath.Join(dir, "."+stateFile)
	os.Remove(tmp) // whatever lies there is not written through
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(dir, stateFile))
}

// readState returns what the running agent wrote last; nil when none runs.
func readState(dir string, clock device.Clock) (*state, error) {
	f, err := os.OpenFile(filepath.Join(dir, stateFile), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: ask as the agent's user, or as root", err)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxState))
	if err != nil {
		return nil, err
	}
	s := new(state)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	age := clock.SinceBoot() - s.SinceBoot
	switch {
	case s.Boot != clock.Boot() || age < 0 || errors.Is(syscall.Kill(s.PID, 0), syscall.ESRCH):
		return nil, nil
	case age > 3*beat:
		return nil, fmt.Errorf("%s is %s old, and process %d still runs: if that is the agent, it hangs, or its disk is full or takes no writes", f.Name(), age.Round(time.Second), s.PID)
	}
	return s, nil
}

// Status is the command that shows how the running agent fares.
type Status struct {
	Place `embed:""`
	JSON  bool `cli:"" env:"-" name:"json" help:"Print JSON, as where the output is no terminal."`
}

// Run prints it. An agent that does not send is an error.
func (s *Status) Run(c *ConfigFile, out io.Writer) error {
	dir := s.dir(c.Config)
	now, err := readState(dir, newClock())
	if err != nil {
		return err
	}
	if now == nil {
		if s.JSON {
			fmt.Fprintln(out, `{"running":false}`)
		}
		return fmt.Errorf("no agent runs with its state in %s: start one, or name its configuration with -c", dir)
	}
	if f, ok := out.(*os.File); s.JSON || !ok || !term.IsTerminal(int(f.Fd())) {
		err = json.NewEncoder(out).Encode(struct {
			Running bool `json:"running"`
			*state
		}{true, now})
	} else {
		err = now.table(out)
	}
	if err == nil && now.Link != "sending" {
		err = fmt.Errorf("%w: %s since %s", ErrNotSending, now.Link, moment(now.Since))
	}
	return err
}

func (s *state) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) { fmt.Fprintf(w, "%s\t%s\n", name, value) }
	row("link", s.Link+" since "+moment(s.Since))
	row("last confirmed", moment(s.LastPuback))
	row("last sample", moment(s.LastSample))
	row("interval", s.Interval)
	row("confirmed", fmt.Sprint(s.Sent))
	row("waiting", fmt.Sprintf("%d readings, %d bytes", s.Spool.Records, s.Spool.Bytes))
	row("lost", fmt.Sprint(s.Spool.Dropped))
	row("configuration", fmt.Sprintf("version %d", s.Config))
	if !s.ClockSynced {
		row("clock", "not plausible")
	}
	if e := s.Enrolment; e.State != "" {
		row("credential", fmt.Sprintf("%s, until %s", e.State, moment(e.NotAfter)))
		if !e.NextAttempt.IsZero() {
			row("asks again", moment(e.NextAttempt))
		}
	}
	for _, fault := range []struct{ name, text string }{
		{"credential error", s.Enrolment.Error}, {"last error", s.LastError}, {"sensor error", s.SensorError}, {"spool error", s.SpoolError},
	} {
		if fault.text != "" {
			row(fault.name, fault.text)
		}
	}
	return w.Flush()
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}
