package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func sealed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(slices.Clone(b), crc32.Checksum(b, castagnoli))
}

// at is a spool whose next number is n.
func at(n uint64) *disk {
	c := cursor{stream: newStream(), next: n, top: 1}
	d := newDisk()
	d.names[cursorName] = &inode{data: c.encode()}
	return d
}

func TestB13_NumbersPassTwoToThe32(t *testing.T) {
	d := at(1<<32 - 2)
	s := mustOpen(t, d, Options{})
	want := map[uint64]string{}
	for i := range uint64(5) {
		if seq := mustAppend(t, s, fmt.Sprint(i)); seq != 1<<32-2+i {
			t.Errorf("number %d", seq)
		}
		want[1<<32-2+i] = fmt.Sprint(i)
	}
	s = mustOpen(t, d, Options{})
	expect(t, s, want)
	if seq := mustAppend(t, s, "x"); seq != 1<<32-2+segmentNumbers {
		t.Errorf("number %d after a crash", seq)
	}
}

func TestB13_NumbersEndBeforeTwoToThe64(t *testing.T) {
	for _, n := range []uint64{math.MaxUint64 - 1, math.MaxUint64, lastNumber + 1} {
		d := at(n)
		for range 3 {
			s := mustOpen(t, d, Options{})
			if _, err := s.Append([]byte("x")); err == nil || !strings.Contains(err.Error(), "move its folder away") {
				t.Errorf("at %d: error %v, want one that says what to do", n, err)
			}
		}
	}
	d := at(lastNumber)
	s := mustOpen(t, d, Options{})
	if seq := mustAppend(t, s, "the last one"); seq != lastNumber {
		t.Errorf("number %d", seq)
	}
	for range 3 {
		s = mustOpen(t, d, Options{})
		if _, err := s.Append([]byte("x")); err == nil {
			t.Error("a number past the last one")
		}
		expect(t, s, map[uint64]string{lastNumber: "the last one"})
	}
}

// After a clean end counting goes on where it was; after another, behind all that the
// last segment may have held.
func TestB11_NumbersAfterAnEnd(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	mustAppend(t, s, "1")
	s.Close()
	s = mustOpen(t, d, Options{})
	if seq := mustAppend(t, s, "2"); seq != 2 {
		t.Errorf("number %d after Close, want 2", seq)
	}
	s = mustOpen(t, d, Options{})
	if seq := mustAppend(t, s, "3"); seq != 2+segmentNumbers {
		t.Errorf("number %d without Close, want %d", seq, 2+segmentNumbers)
	}
	if gaps := s.Gaps(); len(gaps) != 0 {
		t.Errorf("gaps %v: nobody was given those", gaps)
	}
}

// The cursor that says so is durable before a segment is unlinked.
func TestB13_TheCursorComesFirst(t *testing.T) {
	d := newDisk()
	opt := Options{MaxBytes: leastBytes, SegmentBytes: leastSegment}
	s := mustOpen(t, d, opt)
	for range 300 {
		mustAppend(t, s, strings.Repeat("x", 100))
	}
	drain(t, s)
	removed := 0
	d.before = func(op, name string) error {
		base, ok := parseName(name)
		if op != "remove" || !ok {
			return nil
		}
		removed++
		c, err := decodeCursor(d.cut(dropUnsynced, 0).names[cursorName].data)
		if err != nil || !c.settled.has(base) {
			t.Errorf("segment %s is unlinked, and a cut now would leave a cursor that does not know: %v", name, err)
		}
		return nil
	}
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
	if removed == 0 || len(s.segments) != 1 {
		t.Errorf("%d segments removed, %d left", removed, len(s.segments))
	}
}

// A segment that somebody removed is a gap, and no number comes again.
func TestB13_AMissingSegment(t *testing.T) {
	opt := Options{MaxBytes: leastBytes, SegmentBytes: leastSegment}
	build := func() (*disk, []uint64, uint64) {
		d := newDisk()
		s := mustOpen(t, d, opt)
		for range 300 {
			mustAppend(t, s, strings.Repeat("x", 100))
		}
		s.flush()
		var bases []uint64
		for _, g := range s.segments {
			bases = append(bases, g.base)
		}
		return d, append(bases, s.end), s.next
	}
	_, bases, _ := build()
	for i := range len(bases) - 1 {
		d, bases, next := build()
		delete(d.names, segmentName(bases[i]))
		s := mustOpen(t, d, opt)
		if got, want := len(contents(t, s)), 300-int(bases[i+1]-bases[i]); got != want {
			t.Errorf("segment %d: %d records, want %d", i, got, want)
		}
		gaps := s.Gaps()
		if len(gaps) != 1 || gaps[0].First != bases[i] || gaps[0].Last != bases[i+1]-1 || gaps[0].Why != "damaged" {
			t.Errorf("segment %d: gaps %+v, want %d to %d", i, gaps, bases[i], bases[i+1]-1)
		}
		if seq := mustAppend(t, s, "x"); seq < next {
			t.Errorf("segment %d: number %d, want %d or more", i, seq, next)
		}
	}
}

// With all of them gone, numbers go on behind those the cursor had not yet heard of.
func TestB13_AllSegmentsAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := mustOpen(t, d, Options{MaxBytes: 64 << 20, SegmentBytes: leastSegment, Sync: time.Hour})
		mustAppend(t, s, "x")
		s.flush()
		for s.next < 2*segmentNumbers {
			mustAppend(t, s, "x")
		}
		for name := range d.names {
			if _, ok := parseName(name); ok {
				delete(d.names, name)
			}
		}
		again := mustOpen(t, d, Options{})
		if gaps := again.Gaps(); len(gaps) != 1 || gaps[0].First != 1 || gaps[0].Last != 1 {
			t.Errorf("gaps %+v, want the record that the cursor knew", gaps)
		}
		if seq := mustAppend(t, again, "y"); seq < s.next {
			t.Errorf("number %d, want %d or more", seq, s.next)
		}
	})
}

// What a killed agent had not synced is found, and then survives the power's cut too.
func TestB11_KilledAndThenThePowerCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := mustOpen(t, d, Options{Sync: time.Hour})
		mustAppend(t, s, "synced")
		mustAppend(t, s, "not synced")
		want := map[uint64]string{1: "synced", 2: "not synced"}
		expect(t, mustOpen(t, d, Options{}), want)
		again := mustOpen(t, d.cut(dropUnsynced, 0), Options{})
		expect(t, again, want)
		if gaps := again.Gaps(); len(gaps) > 0 {
			t.Errorf("gaps %+v", gaps)
		}
	})
}

func TestD6_AnotherMachine(t *testing.T) {
	d := newDisk()
	var said []string
	warn := func(line string) { said = append(said, line) }
	s := mustOpen(t, d, Options{MachineID: "a", Warn: warn})
	mustAppend(t, s, "from a")
	s.Close()
	same := mustOpen(t, d.cut(keepUnsynced, 0), Options{MachineID: "a", Warn: warn})
	unknown := mustOpen(t, d.cut(keepUnsynced, 0), Options{Warn: warn})
	if same.Stream() != s.Stream() || unknown.Stream() != s.Stream() || len(said) > 0 {
		t.Errorf("streams %s and %s, want %s; said %q", same.Stream(), unknown.Stream(), s.Stream(), said)
	}
	for _, cursor := range []bool{true, false} {
		said = nil
		copied := d.cut(keepUnsynced, 0)
		if !cursor {
			delete(copied.names, cursorName)
		}
		b := mustOpen(t, copied, Options{MachineID: "b", Warn: warn})
		if b.Stream() == s.Stream() || len(said) == 0 {
			t.Errorf("the stream goes on as another machine's, said %q", said)
		}
		expect(t, b, nil)
		aside := fmt.Sprintf("%016x-%s.former", 1, s.Stream()[:8])
		if copied.names[aside] == nil {
			t.Errorf("no %s in %v", aside, slices.Collect(maps.Keys(copied.names)))
		}
		if seq := mustAppend(t, b, "from b"); seq != 1 {
			t.Errorf("number %d in a new stream", seq)
		}
		b.Close()
		expect(t, mustOpen(t, copied, Options{MachineID: "b"}), map[uint64]string{1: "from b"})
	}
}

// However that is interrupted, the records of a are never sent as those of b.
func TestD6_CutWhileSettingAside(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{MachineID: "a", MaxBytes: leastBytes, SegmentBytes: leastSegment})
	for range 200 {
		mustAppend(t, s, strings.Repeat("a", 100))
	}
	s.Close()
	points := 0
	d.Sync()
	d.before = func(string, string) error {
		points++
		for _, how := range []cut{dropUnsynced, keepUnsynced, tearUnsynced} {
			b := mustOpen(t, d.cut(how, uint64(points)), Options{MachineID: "b"})
			expect(t, b, nil)
			if b.Stream() == s.Stream() || len(b.Gaps()) > 0 {
				t.Errorf("cut %d, %d: stream %s, gaps %v", points, how, b.Stream(), b.Gaps())
			}
		}
		return nil
	}
	mustOpen(t, d, Options{MachineID: "b"})
	if points < 5 {
		t.Errorf("%d cuts", points)
	}
}

// Confirming in any order remembers 4,096 spans; what it forgets comes again.
func TestConfirmedInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := mustOpen(t, d, Options{Sync: time.Hour})
		const n = 20_000
		for i := range n {
			mustAppend(t, s, fmt.Sprint(i+1))
		}
		for seq := uint64(1); seq <= n; seq += 2 {
			if err := s.Ack(seq); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(s.cur.settled); got > maxSettled {
			t.Errorf("%d spans", got)
		}
		left := contents(t, s)
		if len(left) < n/2 || len(left) != s.Depth().Records || len(s.Gaps()) > 0 {
			t.Fatalf("%d records, depth %+v, gaps %v", len(left), s.Depth(), s.Gaps())
		}
		order := slices.Collect(maps.Keys(left))
		slices.Sort(order)
		rnd := rand.New(rand.NewPCG(1, 2))
		rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for len(order) > 0 {
			for _, seq := range order {
				s.Ack(seq)
			}
			order = slices.Collect(maps.Keys(contents(t, s)))
		}
		if got := s.Depth(); got.Records != 0 || got.Dropped != 0 {
			t.Errorf("depth %+v", got)
		}
		if err := s.Ack(n + 1); err == nil {
			t.Error("a record that never was is confirmed")
		}
	})
}

// A set that is as slow as it is plain agrees.
func TestSpans(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	const size = 60
	for range 2000 {
		var s spans
		var plain [size]bool
		for range 20 {
			first := rnd.Uint64N(size)
			last := min(first+rnd.Uint64N(8), size-1)
			put := rnd.IntN(3) > 0
			if put {
				s.add(first, last)
			} else {
				s.remove(first, last)
			}
			for n := first; n <= last; n++ {
				plain[n] = put
			}
		}
		for i, x := range s {
			if x.first > x.last || i > 0 && x.first <= s[i-1].last+1 {
				t.Fatalf("%v", s)
			}
		}
		free := uint64(size)
		for n := size - 1; n >= 0; n-- {
			if !plain[n] {
				free = uint64(n)
			}
			if s.has(uint64(n)) != plain[n] || free < size && s.free(uint64(n)) != free {
				t.Fatalf("%v at %d: has %t, free %d; want %t, %d", s, n, s.has(uint64(n)), s.free(uint64(n)), plain[n], free)
			}
		}
		missing := 0
		for n := 10; n <= 40; n++ {
			if !plain[n] {
				missing++
			}
		}
		if got := count(s.missing(10, 40)); got != uint64(missing) {
			t.Fatalf("%v: %d missing, want %d", s, got, missing)
		}
	}
}
