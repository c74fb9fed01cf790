package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"iotbridge/device"
)

// Exec runs a command for each sample. It is started without a shell, with an empty
// standard input, and with PATH, HOME, LANG, LC_ALL, TZ and TMPDIR as its only
// variables. What it prints is a number in °C, or a JSON object whose member
// temperature is one and whose other members go along. When its time is up it is
// killed, and with it all that it started in its process group.
type Exec struct {
	Argv []string // as Words splits them

	process slot[ran]
	since   time.Time
}

// ran is how a process ended.
type ran struct {
	sample device.Sample
	err    *Error
}

// grace is how long the output of a command that has ended may stay open. A test on a
// busy machine has more.
var grace = time.Second

// Sample runs the command once, for at most five seconds. Its errors are Faults.
func (e *Exec) Sample(parent context.Context) ([]device.Sample, error) {
	if len(e.Argv) == 0 {
		return nil, Faults{fault(Missing, "no command")}
	}
	ctx, cancel := within(parent)
	defer cancel()
	// A process that even a kill does not end is left, and not started again beside.
	if !e.process.start(func() ran { return e.run(ctx) }) {
		return nil, Faults{fault(Timeout, "%s: runs since %s and cannot be killed", e.Argv[0], time.Since(e.since).Round(time.Second))}
	}
	e.since = time.Now()
	end, stop := afterKill(parent)
	defer stop()
	r, ok := e.process.wait(end)
	switch {
	case !ok:
		return nil, Faults{fault(Timeout, "%s: no answer in time: killed", e.Argv[0])}
	case r.err != nil:
		r.err.Err = fmt.Errorf("%s: %w", e.Argv[0], r.err.Err)
		return nil, Faults{r.err}
	}
	return []device.Sample{r.sample}, nil
}

// afterKill ends with its parent's deadline, and not when that is cancelled: a process
// that was killed is waited for.
func afterKill(parent context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := parent.Deadline()
	if !ok {
		deadline = time.Now().Add(patience + 2*grace)
	}
	return context.WithDeadline(context.WithoutCancel(parent), deadline)
}

func (e *Exec) run(ctx context.Context) ran {
	ctx, kill := context.WithCancel(ctx)
	defer kill()
	cmd := exec.CommandContext(ctx, e.Argv[0], e.Argv[1:]...) //nolint:gosec // the machine's owner names it
	out := &bounded{most: outputBytes + 1, full: kill}
	said := &bounded{most: 1024}
	cmd.Stdout, cmd.Stderr = out, said
	cmd.Env = environment()
	cmd.WaitDelay = grace
	inOwnGroup(cmd)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, exec.ErrNotFound) {
			return ran{err: fault(Missing, "%w", err)}
		}
		return ran{err: fault(IO, "%w", err)}
	}
	err := cmd.Wait()
	killGroup(cmd) // what it left running in the background
	switch {
	case len(out.kept) == out.most:
		return ran{err: fault(Format, "printed more than %d bytes: killed", outputBytes)}
	case ctx.Err() != nil:
		return ran{err: fault(Timeout, "no answer in time: killed")}
	case errors.Is(err, exec.ErrWaitDelay):
		return ran{err: fault(IO, "has ended and left a process behind that holds its output open")}
	case err != nil:
		return ran{err: fault(IO, "%w%s", err, firstLine(said.kept))}
	}
	sample, wrong := parseOutput(out.kept)
	return ran{sample: sample, err: wrong}
}

// environment leaves out the agent's own settings and what systemd tells the agent.
func environment() []string {
	env := []string{} // nil would inherit all
	for _, name := range []string{"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// firstLine is what the command said on its standard error, in short.
func firstLine(said []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(said), []byte("\n"))
	if len(line) == 0 {
		return ""
	}
	printable := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(line), "?"))
	return ": " + clip(strings.TrimSpace(printable), 200)
}

// bounded keeps the first bytes of what is written to it, and takes the rest.
type bounded struct {
	kept []byte
	most int
	full func() // called when there are as many; nil when nobody minds
}

func (b *bounded) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), b.most-len(b.kept))]...)
	if b.full != nil && len(b.kept) == b.most {
		b.full()
	}
	return len(p), nil
}
