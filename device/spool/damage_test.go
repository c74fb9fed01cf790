package spool

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"iotbridge/device"
)

// damageable is a segment of 64 KiB, and its records in order.
func damageable(t testing.TB) (*disk, []byte, []found) {
	t.Helper()
	d := newDisk()
	s := mustOpen(t, d, Options{SegmentBytes: 64 << 10})
	for i := 0; len(s.segments) < 2; i++ {
		// Records that look like records, zeros, and of many lengths.
		payload := bytes.Repeat([]byte{byte(i)}, i%190)
		if i%7 == 0 {
			payload = appendRecord(payload, s.seed+1, s.next, []byte("not one"))
		}
		if _, err := s.Append(payload); err != nil {
			t.Fatal(err)
		}
	}
	b := d.names[segmentName(1)].data
	return d, b, all(b, s.seed)
}

func all(b []byte, seed uint32) (out []found) {
	for at, off := uint64(0), min(segmentHead, len(b)); ; {
		r, ok := find(b, off, seed, at, math.MaxUint64)
		if !ok {
			return out
		}
		out = append(out, r)
		at, off = r.seq+1, r.end
	}
}

// Every truncation and every flipped bit of a 64 KiB segment: the record that is hit is
// not delivered, the others are, as they were.
//
// What a flip does to reading is local: find looks only forward, and depends on nothing
// but the bytes, its place and the number it has reached. So reading begins two records
// ahead of the flip and ends when it has found two undamaged ones behind it, from where
// it cannot but go on as without the flip. IOTBRIDGE_SPOOL_ALL=1 reads the whole segment
// each time.
func TestB10_EveryBitAndEveryTruncation(t *testing.T) {
	d, b, records := damageable(t)
	s := mustOpen(t, d, Options{})
	whole := os.Getenv("IOTBRIDGE_SPOOL_ALL") != ""
	if len(b) < 63<<10 || len(records) < 300 {
		t.Fatalf("%d bytes, %d records", len(b), len(records))
	}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for worker := range workers {
		wg.Go(func() {
			mine := bytes.Clone(b)
			hit := 0
			for off := range b {
				for hit < len(records)-1 && off >= records[hit].end {
					hit++
				}
				if off%workers != worker {
					continue
				}
				for bit := range 8 {
					mine[off] ^= 1 << bit
					if !survives(mine, s.seed, records, hit, off >= segmentHead, whole) {
						t.Errorf("byte %d, bit %d", off, bit)
						return
					}
					mine[off] ^= 1 << bit
				}
				if !truncated(b[:off], s.seed, records, hit, whole) {
					t.Errorf("cut off at %d", off)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d flips and %d truncations of %d records", 8*len(b), len(b), len(records))
}

// survives reads from ahead of the damaged record to behind it.
func survives(b []byte, seed uint32, records []found, hit int, damaged, whole bool) bool {
	first, last := max(hit-2, 0), min(hit+2, len(records)-1)
	if whole {
		first, last = 0, len(records)-1
	}
	off, at := segmentHead, records[first].seq
	if first > 0 {
		off = records[first-1].end
	}
	for i := first; i <= last; i++ {
		if i == hit && damaged {
			continue
		}
		r, ok := find(b, off, seed, at, math.MaxUint64)
		if !ok || r.seq != records[i].seq || r.end != records[i].end || !bytes.Equal(r.payload, records[i].payload) {
			return false
		}
		off, at = r.end, r.seq+1
	}
	if last == len(records)-1 {
		_, more := find(b, off, seed, at, math.MaxUint64)
		return !more
	}
	return true
}

func truncated(b []byte, seed uint32, records []found, hit int, whole bool) bool {
	first := max(hit-2, 0)
	if whole {
		first = 0
	}
	off, at := min(segmentHead, len(b)), records[first].seq
	if first > 0 {
		off = records[first-1].end
	}
	for i := first; i < hit; i++ {
		r, ok := find(b, off, seed, at, math.MaxUint64)
		if !ok || r.end != records[i].end || !bytes.Equal(r.payload, records[i].payload) {
			return false
		}
		off, at = r.end, r.seq+1
	}
	_, more := find(b, off, seed, at, math.MaxUint64)
	return !more
}

// The same through the whole spool, where a byte means different things: the header,
// records at the start, in the middle, at the end, each by each bit; and each length.
// In the last segment and in one before it.
func TestB10_TheDamagedRecordIsAGap(t *testing.T) {
	d, b, records := damageable(t)
	last := d.cut(keepUnsynced, 0)
	for name := range last.names {
		if base, ok := parseName(name); ok && base > 1 {
			delete(last.names, name)
		}
	}
	var offs []int
	for off := range b {
		if off < 220 || off > len(b)-90 || off > len(b)/2 && off < len(b)/2+90 {
			offs = append(offs, off)
		}
	}
	for name, d := range map[string]*disk{"sealed": d, "last": last} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, off := range offs {
				for bit := range 9 {
					after := d.cut(keepUnsynced, 0)
					data := bytes.Clone(b[:off])
					if bit < 8 {
						data = bytes.Clone(b)
						data[off] ^= 1 << bit
					}
					after.names[segmentName(1)] = &inode{data: data}
					s := mustOpen(t, after, Options{SegmentBytes: 64 << 10})
					delivered, gaps := contents(t, s), s.Gaps()
					lost := 0
					for _, r := range records {
						got, ok := delivered[r.seq]
						start := r.end - recordHead - len(r.payload)
						switch {
						case off < r.end && (bit == 8 || off >= start):
							lost++
							if ok || name == "sealed" && !named(gaps, r.seq) {
								t.Fatalf("byte %d, bit %d: record %d is hit; delivered %t, gaps %+v", off, bit, r.seq, ok, gaps)
							}
						case !ok || got != string(r.payload):
							t.Fatalf("byte %d, bit %d: record %d is %q, %t", off, bit, r.seq, got, ok)
						}
					}
					if name == "sealed" && s.Depth().Dropped != uint64(lost) {
						t.Fatalf("byte %d, bit %d: %d dropped, want %d; %+v", off, bit, s.Depth().Dropped, lost, gaps)
					}
					if seq := mustAppend(t, s, "x"); seq <= records[len(records)-1].seq {
						t.Fatalf("number %d again", seq)
					}
				}
			}
		})
	}
}

func named(gaps []device.Gap, seq uint64) bool {
	for _, g := range gaps {
		if g.First <= seq && seq <= g.Last && g.Why == "damaged" {
			return true
		}
	}
	return false
}

// The cursor, each bit and each length: what it held is forgotten, nothing is lost, and
// no number is given again.
func TestB10_TheCursorIsDamaged(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	want := map[uint64]string{}
	for i := range 20 {
		want[mustAppend(t, s, fmt.Sprint(i))] = fmt.Sprint(i)
	}
	s.Ack(3)
	s.Close()
	b := d.names[cursorName].data
	for off := range b {
		for bit := range 9 {
			after := d.cut(keepUnsynced, 0)
			data := bytes.Clone(b[:off])
			if bit < 8 {
				data = bytes.Clone(b)
				data[off] ^= 1 << bit
			}
			after.names[cursorName] = &inode{data: data}
			var said strings.Builder
			again := mustOpen(t, after, Options{Warn: func(line string) { said.WriteString(line) }})
			if again.Stream() != s.Stream() || !strings.Contains(said.String(), "cursor") {
				t.Fatalf("byte %d, bit %d: stream %s, said %q", off, bit, again.Stream(), said.String())
			}
			expect(t, again, want)
			if seq := mustAppend(t, again, "x"); seq <= 20 || len(again.Gaps()) > 0 {
				t.Fatalf("byte %d, bit %d: number %d, gaps %v", off, bit, seq, again.Gaps())
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// With cursor and headers gone nothing says which numbers were used: a new stream.
func TestB10_CursorAndHeadersAreDamaged(t *testing.T) {
	d := newDisk()
	s := mustOpen(t, d, Options{})
	mustAppend(t, s, "x")
	delete(d.names, cursorName)
	d.names[segmentName(1)].data[30] ^= 1
	again := mustOpen(t, d, Options{})
	if again.Stream() == s.Stream() {
		t.Error("the stream goes on, and nobody knows its numbers")
	}
	if _, ok := d.names["0000000000000001-00000000.former"]; !ok {
		t.Errorf("the segment was not set aside: %v", d.names)
	}
}

func FuzzSegment(f *testing.F) {
	d, b, _ := damageable(f)
	seed := mustOpen(f, d, Options{}).seed
	f.Add(b[:2000])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		decodeHeader(b) // it must not panic
		for _, r := range all(b, seed) {
			start := r.end - recordHead - len(r.payload)
			if start < 0 || !bytes.Equal(b[start:r.end], appendRecord(nil, seed, r.seq, r.payload)) {
				t.Fatalf("a record that was not written: %+v", r)
			}
		}
		after := d.cut(keepUnsynced, 0)
		after.names[segmentName(1)] = &inode{data: b}
		s, err := open(after, Options{})
		if err != nil {
			if strings.Contains(err.Error(), "newer version") {
				return
			}
			t.Fatal(err)
		}
		contents(t, s)
		mustAppend(t, s, "x")
	})
}

func FuzzCursor(f *testing.F) {
	c := cursor{stream: newStream(), next: 12, top: 9, newest: 3, settled: spans{{0, 2}, {4, 5}}}
	c.gaps[age] = spans{{2, 2}}
	f.Add(c.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// The sum is given, or the fuzzer would not come past it.
		if len(b) >= 4 {
			b = sealed(b[:len(b)-4])
		}
		c, err := decodeCursor(b)
		if err != nil {
			return
		}
		if again, err := decodeCursor(c.encode()); err != nil || !bytes.Equal(again.encode(), c.encode()) {
			t.Fatalf("%+v comes back as %+v, %v", c, again, err)
		}
		d := newDisk()
		d.names[cursorName] = &inode{data: b}
		s, err := open(d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		contents(t, s)
		before := s.next
		if seq, err := s.Append(nil); err == nil && seq < before {
			t.Fatalf("number %d, want %d", seq, before)
		}
	})
}
