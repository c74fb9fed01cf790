package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/device"
)

// Each change of the disk fails, once or for a while, and then the power goes: what
// Append returned is there.
func TestB7_B8_B9_EachChangeOfTheDiskFails(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS} {
		for _, length := range []int{1, 2, 9} {
			t.Run(fmt.Sprintf("%v for %d", fault, length), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					total := failing(t, math.MaxInt, 0, nil, 0)
					for at := range total {
						failing(t, at, length, fault, time.Duration(at%2)*time.Hour)
					}
				})
			})
		}
	}
}

// failing runs a workload on a disk that fails for a while, and returns how many
// changes it made.
func failing(t *testing.T, at, length int, fault error, sync time.Duration) int {
	w := newWorkload(t, Options{MaxBytes: leastBytes, SegmentBytes: leastSegment, Sync: sync}, 3)
	w.longest, w.patience = 100, length
	w.disk.before = func(op, name string) error {
		if n := w.disk.ops - 1; n >= at && n-at < length {
			return fmt.Errorf("%s %s: %w", op, name, fault)
		}
		return nil
	}
	w.open()
	failed := 0
	for range steps / 24 {
		if w.step() != nil {
			failed++
		}
	}
	w.disk.before = nil
	if failed > length {
		t.Fatalf("fault at %d: %d of %d steps failed", at, failed, length)
	}
	if _, err := w.spool.Append([]byte(afterwards)); err != nil {
		t.Fatalf("fault at %d: the disk is well again, and the spool is not: %v", at, err)
	}
	w.highest++
	w.holds(w.disk.cut(keepUnsynced, 0), math.MaxUint64)
	if sync > 0 {
		w.spool.mu.Lock()
		w.spool.syncPending() // the next line sees whether it did
		w.spool.mu.Unlock()
	}
	w.holds(w.disk.cut(dropUnsynced, 0), math.MaxUint64)
	w.holds(w.disk.cut(tearUnsynced, uint64(at)), math.MaxUint64)
	return w.disk.ops
}

// A failed fsync has cleared the pages it could not write: the next one succeeds and
// means nothing. So the record goes to another segment.
func TestB7_AFailedSyncIsNotTriedAgain(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	first := mustAppend(t, s, "one")
	failed := false
	d.before = func(op, name string) error {
		if op == "sync" && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	}
	second := mustAppend(t, s, "two")
	third := mustAppend(t, s, "three")
	after := mustOpen(t, d.cut(dropUnsynced, 0), Options{})
	expect(t, after, map[uint64]string{first: "one", second: "two", third: "three"})
	if gaps := after.Gaps(); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
}

// A number that was refused leaves no gap, and what waited for its sync goes on waiting.
func TestB7_ARefusedRecordBehindPendingOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := mustOpen(t, d, Options{Sync: time.Hour})
		mustAppend(t, s, "durable")
		mustAppend(t, s, "pending")
		d.before = func(string, string) error { return syscall.EIO }
		if _, err := s.Append([]byte("refused")); !errors.Is(err, syscall.EIO) {
			t.Fatalf("error %v, want EIO", err)
		}
		d.before = nil
		mustAppend(t, s, "afterwards")
		want := map[uint64]string{1: "durable", 2: "pending", 4: "afterwards"}
		expect(t, s, want)
		if gaps := s.Gaps(); len(gaps) > 0 || s.Depth().Records != 3 {
			t.Errorf("gaps %+v, depth %+v", gaps, s.Depth())
		}
		expect(t, mustOpen(t, d.cut(dropUnsynced, 0), Options{}), want)
	})
}

func TestB8_AFullDiskDropsTheOldestAndSaysWhich(t *testing.T) {
	d := newDisk()
	d.room = 100 << 10
	s := mustOpen(t, d, Options{MaxBytes: 1 << 20, SegmentBytes: leastSegment})
	kept := map[uint64]string{}
	for i := range 2000 {
		text := fmt.Sprintf("%d %x", i, make([]byte, 40))
		kept[mustAppend(t, s, text)] = text
	}
	gaps := s.Gaps()
	if len(gaps) != 1 || gaps[0].First != 1 || gaps[0].Why != "full" || gaps[0].Stream != s.Stream() {
		t.Fatalf("gaps %+v, want one, of the first records", gaps)
	}
	for n := gaps[0].First; n <= gaps[0].Last; n++ {
		delete(kept, n)
	}
	if got := s.Depth().Dropped; got != gaps[0].Last {
		t.Errorf("dropped %d, want %d", got, gaps[0].Last)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, d, Options{MaxBytes: 1 << 20, SegmentBytes: leastSegment})
	expect(t, s, kept)
	if err := s.Reported(s.Gaps()[0]); err != nil || len(s.Gaps()) != 0 {
		t.Errorf("reported: %v, left %v", err, s.Gaps())
	}
}

// A full disk cannot even take the cursor; the reserve lets a spool that was drained
// become empty.
func TestB8_AFullDiskIsEmptiedByConfirming(t *testing.T) {
	d := newDisk()
	d.room = 200 << 10
	opt := Options{MaxBytes: 1 << 20, SegmentBytes: leastSegment, Block: true}
	s := mustOpen(t, d, opt)
	given := 0
	for {
		_, err := s.Append(make([]byte, 100))
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		given++
	}
	// Somebody else takes the rest, to the last byte.
	d.names["filler"] = &inode{data: make([]byte, d.room-d.used())}
	if got := drain(t, s); got != given {
		t.Errorf("drained %d of %d", got, given)
	}
	if err := s.flush(); err != nil {
		t.Fatalf("the cursor on a full disk: %v", err)
	}
	if _, err := s.Append([]byte("room again")); err != nil {
		t.Errorf("append after all was confirmed: %v", err)
	}
	if gaps := s.Gaps(); len(gaps) > 0 {
		t.Errorf("gaps %v", gaps)
	}
}

func TestB8_BlockRefusesAndHeals(t *testing.T) {
	s := mustOpen(t, newDisk(), Options{MaxBytes: leastBytes, Block: true})
	kept := 0
	for {
		_, err := s.Append(make([]byte, 500))
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept++
	}
	if _, err := s.Append(make([]byte, 500)); !errors.Is(err, ErrFull) {
		t.Fatalf("error %v, want ErrFull", err)
	}
	if got := s.Depth(); got.Records != kept || got.Bytes > leastBytes || got.Dropped != 0 {
		t.Errorf("depth %+v, want %d records in at most %d bytes", got, kept, leastBytes)
	}
	if got := drain(t, s); got != kept {
		t.Errorf("drained %d of %d", got, kept)
	}
	mustAppend(t, s, "room again")
}

func TestB8_TheOldestGoAtMaxBytes(t *testing.T) {
	s := mustOpen(t, newDisk(), Options{MaxBytes: leastBytes, SegmentBytes: leastSegment})
	for range 5000 {
		mustAppend(t, s, "21.437 degrees, and some more of it")
		if got := s.Depth().Bytes; got > leastBytes {
			t.Fatalf("%d bytes, allowed %d", got, leastBytes)
		}
	}
	d := s.Depth()
	gaps := s.Gaps()
	if len(gaps) != 1 || gaps[0].Last-gaps[0].First+1 != d.Dropped || d.Dropped+uint64(d.Records) != 5000 {
		t.Errorf("depth %+v, gaps %+v", d, gaps)
	}
	// A gap that grew since it was read is forgotten as far as it was reported.
	old := gaps[0]
	for range 200 {
		mustAppend(t, s, "21.437 degrees, and some more of it")
	}
	if err := s.Reported(old); err != nil {
		t.Fatal(err)
	}
	if gaps = s.Gaps(); len(gaps) != 1 || gaps[0].First != old.Last+1 {
		t.Errorf("gaps %+v after %+v was reported", gaps, old)
	}
	if err := s.Reported(device.Gap{Stream: "another", First: 1, Last: 2, Why: "full"}); err == nil {
		t.Error("another stream's gap was taken")
	}
}

func TestB8_TooOldIsDroppedAndOnlyByAPlausibleClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now time.Time
		d := newDisk()
		opt := Options{MaxBytes: leastBytes, MaxAge: 8 * time.Hour, Now: func() time.Time { return now }}
		s := mustOpen(t, d, opt)
		untimed := mustAppend(t, s, "from before the clock was set")
		s.Close()
		s = mustOpen(t, d, opt)
		start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		now = start
		timed := mustAppend(t, s, "from midnight")
		now = start.Add(7 * time.Hour)
		mustAppend(t, s, "from seven")
		if gaps := s.Gaps(); len(gaps) != 0 {
			t.Fatalf("gaps %v after seven hours of eight", gaps)
		}
		// The reboot has no clock, and drops nothing.
		s.Close()
		now = time.Time{}
		s = mustOpen(t, d, opt)
		mustAppend(t, s, "after the reboot")
		if gaps := s.Gaps(); len(gaps) != 0 {
			t.Fatalf("gaps %v without a clock", gaps)
		}
		now = start.Add(16 * time.Hour)
		last := mustAppend(t, s, "from sixteen")
		gaps := s.Gaps()
		if len(gaps) != 1 || gaps[0].First > timed || gaps[0].Why != "age" || gaps[0].Last >= last {
			t.Errorf("gaps %+v, want those from %d or %d on", gaps, untimed, timed)
		}
	})
}

// With a card that takes no more writes, what it holds can still be sent.
func TestB9_ReadOnly(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	want := map[uint64]string{}
	for i := range 20 {
		want[mustAppend(t, s, fmt.Sprint(i))] = fmt.Sprint(i)
	}
	d.before = func(op, name string) error { return syscall.EROFS }
	for range 5 {
		if _, err := s.Append([]byte("x")); !errors.Is(err, syscall.EROFS) {
			t.Fatalf("error %v, want EROFS", err)
		}
	}
	expect(t, s, want)
	s.Close()
	s, err := open(d, Options{MachineID: "known only now"})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	expect(t, s, want)
	if _, err := s.Append([]byte("x")); !errors.Is(err, syscall.EROFS) {
		t.Fatalf("error %v, want EROFS", err)
	}
	d.before = nil
	if seq := mustAppend(t, s, "healed"); seq <= 25 {
		t.Errorf("number %d was used", seq)
	}
}

// unreadable fails reads of some blocks of a segment.
type unreadable struct {
	*disk
	bad func(name string, off int64) bool
}

func (u unreadable) Open(name string) (file, error) {
	f, err := u.disk.Open(name)
	return badBlocks{f, u, name}, err
}

type badBlocks struct {
	file
	of   unreadable
	name string
}

func (b badBlocks) ReadAt(p []byte, off int64) (int, error) {
	for at := off; at < off+int64(len(p)); at++ {
		if b.of.bad(b.name, at) {
			return 0, syscall.EIO
		}
	}
	return b.file.ReadAt(p, off)
}

// A bad block costs the records in it; a card that reads nothing and writes nothing
// costs none.
func TestB9_BadBlocks(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	want := map[uint64]string{}
	for i := range 200 {
		text := fmt.Sprintf("%d %s", i, bytes.Repeat([]byte("x"), 100))
		want[mustAppend(t, s, text)] = text
	}
	s.Close()
	on := false
	u := unreadable{d, func(name string, off int64) bool {
		return on && strings.HasSuffix(name, ".seg") && off >= 8192 && off < 12288
	}}
	s = mustOpen(t, u, Options{})
	on = true
	got := contents(t, s)
	gaps := s.Gaps()
	if len(gaps) != 1 || len(got)+int(gaps[0].Last-gaps[0].First+1) != 200 || len(got) < 150 {
		t.Errorf("%d records, gaps %+v", len(got), gaps)
	}
	for seq, text := range got {
		if want[seq] != text {
			t.Errorf("record %d is %q", seq, text)
		}
	}

	on = false
	dead := unreadable{d, func(name string, _ int64) bool { return on && strings.HasSuffix(name, ".seg") }}
	s = mustOpen(t, dead, Options{})
	on, d.before = true, func(string, string) error { return syscall.EIO }
	if _, _, err := s.Next(0); !errors.Is(err, syscall.EIO) {
		t.Fatalf("error %v, want EIO", err)
	}
	on, d.before = false, nil
	if got := contents(t, s); len(got) < 150 || len(s.Gaps()) > 1 {
		t.Errorf("%d records after the card was back, gaps %v", len(got), s.Gaps())
	}
}

func TestARecordTooLongIsRefused(t *testing.T) {
	s := mustOpen(t, newDisk(), Options{})
	if _, err := s.Append(make([]byte, MaxRecord+1)); err == nil || !strings.Contains(err.Error(), "65536") {
		t.Errorf("error %v, want one that names the limit", err)
	}
	seq, err := s.Append(make([]byte, MaxRecord))
	if err != nil {
		t.Fatal(err)
	}
	if _, b, err := s.Next(seq); err != nil || len(b) != MaxRecord {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	empty := mustAppend(t, s, "")
	if seq, b, err := s.Next(empty); err != nil || seq != empty || len(b) != 0 {
		t.Errorf("%d %q %v", seq, b, err)
	}
}

func TestAClosedSpoolSaysSo(t *testing.T) {
	s := mustOpen(t, newDisk(), Options{})
	s.Close()
	_, appended := s.Append(nil)
	_, _, next := s.Next(0)
	for _, err := range []error{appended, next, s.Ack(1), s.Reported(device.Gap{})} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	}
	if err := errors.Join(s.Close(), s.Flush()); err != nil {
		t.Error(err)
	}
}

func TestOptionsThatCannotBe(t *testing.T) {
	for _, opt := range []Options{{MaxBytes: 1}, {MaxBytes: -1}, {SegmentBytes: 1}, {SegmentBytes: 5 << 20}, {MaxBytes: leastBytes, SegmentBytes: 32 << 10}, {MaxAge: -1}, {Sync: -1}} {
		if _, err := open(newDisk(), opt); err == nil {
			t.Errorf("%+v was taken", opt)
		}
	}
}

func mustOpen(t testing.TB, d files, opt Options) *Spool {
	t.Helper()
	s, err := open(d, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustAppend(t testing.TB, s *Spool, text string) uint64 {
	t.Helper()
	seq, err := s.Append([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func contents(t testing.TB, s *Spool) map[uint64]string {
	t.Helper()
	got := map[uint64]string{}
	for from := uint64(0); ; {
		seq, b, err := s.Next(from)
		if errors.Is(err, device.ErrEmpty) {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got[seq] = string(b)
		from = seq + 1
	}
}

func expect(t testing.TB, s *Spool, want map[uint64]string) {
	t.Helper()
	got := contents(t, s)
	for seq, text := range want {
		if got[seq] != text {
			t.Errorf("record %d is %q, want %q", seq, got[seq], text)
		}
	}
	for seq, text := range got {
		if _, ok := want[seq]; !ok {
			t.Errorf("record %d %q is not wanted", seq, text)
		}
	}
}

func drain(t testing.TB, s *Spool) (n int) {
	t.Helper()
	for {
		seq, _, err := s.Next(0)
		if errors.Is(err, device.ErrEmpty) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ack(seq); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		n++
	}
}
