package spool

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"iotbridge/device"
)

// workload is a spool in use, and what must be true of it.
type workload struct {
	t     *testing.T
	disk  *disk
	opt   Options
	rnd   *rand.Rand
	spool *Spool

	given    map[uint64]string // by Append, and neither confirmed nor reported as lost
	settled  map[uint64]string // confirmed
	offline  bool              // confirm nothing
	again    bool              // in a recovery
	highest  uint64
	patience int    // faults that open may meet
	longest  int    // half a record's length
	flight   string // what Append has not yet answered, or has refused
	refused  map[string]bool
	returned int
}

func newWorkload(t *testing.T, opt Options, seed uint64) *workload {
	w := &workload{
		t: t, disk: newDisk(), opt: opt, rnd: rand.New(rand.NewPCG(seed, 0)),
		given: map[uint64]string{}, settled: map[uint64]string{}, refused: map[string]bool{}, longest: 40,
	}
	return w
}

// open opens the spool, again until the disk lets it.
func (w *workload) open() {
	w.t.Helper()
	for try := 0; ; try++ {
		s, err := open(w.disk, w.opt)
		if err == nil {
			w.spool = s
			return
		}
		if try == w.patience {
			w.t.Fatalf("open: %v", err)
		}
	}
}

// step does one thing with the spool. Errors are counted by the caller's faults only.
func (w *workload) step() (err error) {
	switch n := w.rnd.IntN(100); {
	case n < 55:
		return w.append()
	case n < 92 && !w.offline:
		return w.confirm()
	case n < 95:
		w.report()
	case n < 98:
		return w.spool.flush()
	default:
		waiting := w.spool.pending
		if err = w.spool.Close(); err != nil {
			// It said so: what was not synced may go, what was confirmed may come.
			for _, r := range waiting {
				w.refused[w.given[r.seq]] = true
				delete(w.given, r.seq)
			}
			for _, payload := range w.settled {
				w.refused[payload] = true
			}
			clear(w.settled)
		}
		w.open()
	}
	return err
}

func (w *workload) append() error {
	w.flight = fmt.Sprintf("%d %x", w.returned+len(w.refused), make([]byte, w.rnd.IntN(w.longest)))
	seq, err := w.spool.Append([]byte(w.flight))
	if err != nil {
		w.refused[w.flight] = true
		w.flight = ""
		return err
	}
	if seq <= w.highest {
		w.t.Fatalf("number %d again, after %d", seq, w.highest)
	}
	w.highest, w.given[seq], w.flight = seq, w.flight, ""
	w.returned++
	return nil
}

// confirm takes the oldest record, or any; or a newer one, as the live ones go first.
func (w *workload) confirm() error {
	from := uint64(0)
	if w.rnd.IntN(4) == 0 && w.highest > 0 {
		from = w.rnd.Uint64N(w.highest + 1)
	}
	seq, payload, err := w.spool.Next(from)
	if errors.Is(err, device.ErrEmpty) {
		return nil
	}
	if err != nil {
		return err
	}
	w.right(seq, payload)
	w.settled[seq] = string(payload)
	delete(w.given, seq)
	return w.spool.Ack(seq)
}

// right: a record is one that was appended, under its number.
func (w *workload) right(seq uint64, payload []byte) {
	w.t.Helper()
	want, ok := w.given[seq]
	if !ok {
		want, ok = w.settled[seq]
	}
	got := string(payload)
	switch {
	case ok && want != got:
		w.t.Fatalf("record %d is %q, want %q", seq, payload, want)
	case !ok && got != w.flight && !w.refused[got] && got != afterwards:
		w.t.Fatalf("record %d is %q, which nobody appended", seq, payload)
	}
}

func (w *workload) report() {
	for _, g := range w.spool.Gaps() {
		w.forget(g, w.given, math.MaxUint64)
		if err := w.spool.Reported(g); err != nil {
			w.t.Fatal(err)
		}
	}
}

// forget takes out of given what a gap admits, and nothing that was confirmed.
func (w *workload) forget(g device.Gap, given map[uint64]string, durable uint64) {
	w.t.Helper()
	if g.Last-g.First > 1<<17 {
		w.t.Fatalf("a gap of %d records", g.Last-g.First)
	}
	for n := g.First; n <= g.Last; n++ {
		// What was confirmed and not yet written down may be lost after the cut, and
		// so reported, if it was not synced, or had to go in a recovery that was cut.
		if _, ok := w.settled[n]; ok && n < durable && !w.again {
			w.t.Fatalf("record %d was confirmed, and is reported as lost (%+v)", n, g)
		}
		if _, ok := given[n]; ok && n < durable && g.Why == words[damaged] {
			w.t.Fatalf("record %d is durable, and is reported as damaged (%+v)", n, g)
		}
		delete(given, n)
	}
}

// holds checks a spool opened on what a cut left: every record below durable that was
// neither confirmed nor admitted to be lost is there.
func (w *workload) holds(d *disk, durable uint64) {
	w.t.Helper()
	s, err := open(d, w.opt)
	if err != nil {
		w.t.Fatalf("open after the cut: %v", err)
	}
	given := maps.Clone(w.given)
	delivered := 0
	for from := uint64(0); ; delivered++ {
		seq, payload, err := s.Next(from)
		if errors.Is(err, device.ErrEmpty) {
			break
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.right(seq, payload)
		delete(given, seq)
		from = seq + 1
	}
	if got := s.Depth().Records; got != delivered {
		w.t.Fatalf("depth %d, delivered %d", got, delivered)
	}
	for _, g := range s.Gaps() {
		w.forget(g, given, durable)
	}
	for seq, payload := range given {
		if seq < durable {
			w.t.Fatalf("record %d %q is lost; %d delivered", seq, payload, delivered)
		}
	}
	seq, err := s.Append([]byte(afterwards))
	if err != nil {
		w.t.Fatalf("append after the cut: %v", err)
	}
	if seq <= w.highest {
		w.t.Fatalf("number %d is given again, after %d", seq, w.highest)
	}
	if _, payload, err := s.Next(seq); err != nil || string(payload) != afterwards {
		w.t.Fatalf("record %d after the cut: %q, %v", seq, payload, err)
	}
}

const afterwards = "afterwards"
