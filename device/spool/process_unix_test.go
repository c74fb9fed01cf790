//go:build unix

package spool

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"iotbridge/device"
)

func init() {
	children["kill"] = untilKilled
	children["prefill"] = prefill
	children["drain"] = drainAll
}

func child(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "IOTBRIDGE_SPOOL_CHILD="+name, "IOTBRIDGE_SPOOL_DIR="+dir)
	return cmd
}

// kill -9 of a process that appends and confirms, at random moments: nothing that
// Append returned is lost, no number is given twice. IOTBRIDGE_KILLS=2000 is the long one.
func TestB11_KilledAtRandomMoments(t *testing.T) {
	kills, err := strconv.Atoi(cmp.Or(os.Getenv("IOTBRIDGE_KILLS"), "30"))
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		kills = 5
	}
	dir := filepath.Join(t.TempDir(), "spool")
	w := newWorkload(t, Options{}, 0)
	for i := range kills {
		cmd := child(t, "kill", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Every other one is let come as far as a record.
		lines, first := bufio.NewReader(out), ""
		for i%2 == 0 && !strings.Contains(first, "appended") {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("%v after %q", err, first)
			}
			first += line
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
		said, _ := io.ReadAll(lines)
		timer.Stop()
		cmd.Wait() // it was killed
		w.heard(first + string(said))
		w.survived(dir)
	}
	t.Logf("%d kills: %d records, %d confirmed, last number %d", kills, w.returned, len(w.settled), w.highest)
	if w.returned == 0 {
		t.Error("no record was ever appended")
	}
}

// untilKilled says what it is about to append, what was appended, and what it confirms.
func untilKilled(dir string) error {
	opt := Options{SegmentBytes: leastSegment}
	if rand.IntN(2) == 0 {
		opt.Sync = time.Hour
	}
	s, err := Open(dir, opt)
	if err != nil {
		return err
	}
	fresh := make(chan struct{}, 1)
	go func() {
		for from := uint64(0); ; {
			seq, _, err := s.Next(from)
			if errors.Is(err, device.ErrEmpty) {
				<-fresh
				from = 0
				continue
			}
			if err != nil {
				panic(err)
			}
			if from = seq + 1; rand.IntN(8) == 0 {
				continue
			}
			fmt.Fprintf(os.Stdout, "confirm %d\n", seq)
			if s.Ack(seq) != nil || rand.IntN(50) == 0 && s.Flush() != nil {
				panic("ack")
			}
		}
	}()
	for i := 0; ; i++ {
		text := fmt.Sprintf("%d-%d-%x", os.Getpid(), i, make([]byte, rand.IntN(100)))
		fmt.Fprintf(os.Stdout, "append %s\n", text)
		seq, err := s.Append([]byte(text))
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stdout, "appended %d\n", seq)
		select {
		case fresh <- struct{}{}:
		default:
		}
	}
}

func (w *workload) heard(said string) {
	w.t.Helper()
	var confirmed []uint64
	for line := range strings.Lines(said) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if !strings.HasSuffix(line, "\n") && word != "append" {
			continue
		}
		seq, _ := strconv.ParseUint(rest, 10, 64)
		switch word {
		case "append":
			w.flight = rest
			w.refused[rest] = true
		case "appended":
			if seq <= w.highest {
				w.t.Fatalf("number %d again, after %d", seq, w.highest)
			}
			w.highest, w.given[seq] = seq, w.flight
			delete(w.refused, w.flight)
			w.returned++
		case "confirm":
			confirmed = append(confirmed, seq)
		}
	}
	for _, seq := range confirmed {
		if text, ok := w.given[seq]; ok {
			w.settled[seq] = text
			delete(w.given, seq)
		}
	}
}

// survived looks into what the killed process left, and leaves it as it is.
func (w *workload) survived(dir string) {
	w.t.Helper()
	s, err := Open(dir, Options{SegmentBytes: leastSegment})
	if err != nil {
		w.t.Fatal(err)
	}
	defer s.release()
	got := contents(w.t, s)
	for seq, text := range w.given {
		if got[seq] != text {
			w.t.Fatalf("record %d is %q, want %q", seq, got[seq], text)
		}
	}
	for seq, text := range got {
		w.right(seq, []byte(text))
		w.highest = max(w.highest, seq)
	}
	for _, g := range s.Gaps() {
		w.forget(g, w.given, math.MaxUint64)
	}
}

const sevenDays = 7 * 24 * 3600

// Seven days at 1 Hz are drained in little memory, the live readings ahead.
func TestB16_SevenDaysDrainInLittleMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	if out, err := child(t, "prefill", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var stderr bytes.Buffer
	cmd := child(t, "drain", dir)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var records, live int
	var seconds, mib float64
	if _, err := fmt.Sscan(string(out), &records, &live, &seconds, &mib); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	t.Logf("%d records and %d live ones in %.1f s (%.0f a second), at most %.1f MiB resident", records, live, seconds, float64(records+live)/seconds, mib)
	if records != backlog || live == 0 {
		t.Errorf("%d records and %d live ones, want %d", records, live, backlog)
	}
	if mib > 30 && !raceDetector {
		t.Errorf("%.1f MiB resident, want 30 at most", mib)
	}
}

func prefill(dir string) error {
	s, err := Open(dir, Options{Sync: time.Hour})
	if err != nil {
		return err
	}
	for i := range backlog {
		if _, err := s.Append(reading(i)); err != nil {
			return err
		}
	}
	return s.Close()
}

func reading(i int) []byte {
	return fmt.Appendf(nil, `{"device_id":"device1","timestamp":%d.123,"temperature":21.437,"probe":"28-0316a2795b12"}`, 1700000000+i)
}

// drainAll confirms everything, with a live record after each 500 sent first.
func drainAll(dir string) error {
	s, err := Open(dir, Options{Sync: time.Hour})
	if err != nil {
		return err
	}
	start, records, live := time.Now(), 0, 0
	for from := uint64(0); ; records++ {
		if records%500 == 499 {
			fresh, err := s.Append(reading(records))
			if err != nil {
				return err
			}
			seq, _, err := s.Next(fresh)
			if err != nil || seq != fresh {
				return fmt.Errorf("live record %d: got %d, %w", fresh, seq, err)
			}
			if err := s.Ack(fresh); err != nil {
				return err
			}
			live++
		}
		seq, _, err := s.Next(from)
		if errors.Is(err, device.ErrEmpty) {
			break
		}
		if err != nil {
			return err
		}
		if err := s.Ack(seq); err != nil {
			return err
		}
		from = seq + 1
	}
	if d := s.Depth(); d.Records != 0 || d.Dropped != 0 || len(s.segments) != 1 {
		if err := s.Close(); err != nil || len(s.segments) != 1 {
			return fmt.Errorf("depth %+v, %d segments, %w", d, len(s.segments), err)
		}
	}
	fmt.Fprintln(os.Stdout, records, live, time.Since(start).Seconds(), highWater())
	return s.Close()
}

// highWater is the most memory this process has had resident, in MiB.
func highWater() float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024
		}
	}
	return 0
}
