package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"sort"
	"strings"
)

// lostSegments is how far counting goes on when segments are gone that the cursor
// knew: others, that it did not know, may be gone with them.
const lostSegments = 1 << 32

// ours says whether a file of this name is the spool's.
func ours(name string) bool {
	switch name {
	case lockName, cursorName, cursorTmp, segmentTmp, reserveName:
		return true
	}
	_, ok := parseName(name)
	return ok || strings.HasSuffix(name, formerSuffix)
}

// onDisk is a segment as it is found.
type onDisk struct {
	segment
	header header
	whole  bool // the header is
}

// recover builds the state from what lies in the folder.
func (s *Spool) recover() error {
	entries, err := s.files.List()
	if err != nil {
		return err
	}
	var segments []onDisk
	for _, e := range entries {
		switch e.name {
		case segmentTmp, cursorTmp:
			s.files.Remove(e.name) //nolint:errcheck // install does it again
		case reserveName:
			s.reserve = int(min(e.size, maxCursor))
		}
		if base, ok := parseName(e.name); ok {
			g, err := s.found(base, e.size)
			if err != nil {
				return err
			}
			segments = append(segments, g)
		}
	}
	sort.Slice(segments, func(i, j int) bool { return segments[i].base < segments[j].base })
	known, fresh, err := s.identify(segments)
	if err != nil {
		return err
	}
	own, err := s.setAside(segments, entries, fresh)
	if err != nil {
		return err
	}
	if err := s.chain(own, known); err != nil {
		return err
	}
	s.number(known)
	if err := s.syncLast(); err != nil {
		s.warn("records from before the start may not survive a power cut: %v", err)
	}
	if !s.dirty && known {
		return nil
	}
	err = s.flush()
	if err != nil && known {
		s.warn("the spool can be read, but not written: %v", err)
		return nil // what it holds can be sent
	}
	return err
}

func (s *Spool) found(base uint64, size int64) (onDisk, error) {
	g := onDisk{segment: segment{base: base, size: min(size, maxSegment)}}
	b := make([]byte, min(segmentHead, g.size))
	err := s.fill(g.name(), b, 0)
	if err != nil {
		return g, err
	}
	h, err := decodeHeader(b)
	if errors.Is(err, errNewer) {
		return g, fmt.Errorf("%s was %w", g.name(), err)
	}
	g.header, g.whole = h, err == nil && h.base == base
	return g, nil
}

// identify finds out whose spool this is: from the cursor, else from the last whole
// header, else it is a new one. It says whether the cursor is known, and whether the
// stream is fresh.
func (s *Spool) identify(segments []onDisk) (known, fresh bool, err error) {
	c, err := s.readCursor()
	switch {
	case err == nil:
		s.cur, known = *c, true
	case errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist):
		s.cur = cursor{next: 1}
		for _, g := range segments {
			if g.whole {
				s.cur.stream, s.cur.machine = g.header.stream, g.header.machine
			}
		}
		if len(segments) > 0 || errors.Is(err, errDamaged) {
			s.warn("the spool's cursor is %v: what is still there is sent again", err)
		}
	default:
		return false, false, fmt.Errorf("the spool's %s: %w", cursorName, err)
	}
	here := newMark(s.cur.stream, s.opt.MachineID)
	other := s.cur.machine != here && s.cur.machine != (mark{}) && here != (mark{})
	switch {
	case other || s.cur.stream == (stream{}):
		if other {
			s.warn("the spool was made on another machine, or /etc/machine-id has changed: a new stream begins")
		}
		s.cur, known, fresh = cursor{stream: newStream(), next: 1}, false, true
		s.cur.machine = newMark(s.cur.stream, s.opt.MachineID)
	case s.cur.machine == (mark{}) && here != (mark{}):
		s.cur.machine, s.dirty = here, true
	}
	s.cur.settled.add(0, 0)
	s.seed = s.cur.stream.seed()
	return known, fresh, nil
}

func (s *Spool) readCursor() (*cursor, error) {
	f, err := s.files.Open(cursorName)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, maxCursor+1)
	n, err := f.ReadAt(b, 0)
	if err != nil && n == 0 && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return decodeCursor(bytes.Clone(b[:n]))
}

const formerSuffix = ".former"

// setAside renames what belongs to another stream, and returns the others. As
// long as it is not done the cursor is the former one: what was interrupted goes on.
func (s *Spool) setAside(segments []onDisk, entries []entry, fresh bool) (own []onDisk, err error) {
	var former []entry
	for _, e := range entries {
		if strings.HasSuffix(e.name, formerSuffix) {
			former = append(former, e)
		}
	}
	moved := false
	for _, g := range segments {
		if !fresh && !g.whole || g.header.stream == s.cur.stream {
			own = append(own, g)
			continue
		}
		moved = true
		to := fmt.Sprintf("%016x-%x%s", g.base, g.header.stream[:4], formerSuffix)
		if err := s.files.Rename(g.name(), to); err != nil {
			return nil, err
		}
		former = append(former, entry{to, g.size})
	}
	if !moved {
		return own, nil
	}
	s.warn("records of another machine were set aside in *%s: that one sends them, or else keep or delete them", formerSuffix)
	sort.Slice(former, func(i, j int) bool { return former[i].name < former[j].name })
	total := int64(0)
	for i := len(former) - 1; i >= 0; i-- {
		if total += former[i].size; total > s.opt.MaxBytes {
			s.warn("%s is removed: there is too much of its kind", former[i].name)
			s.files.Remove(former[i].name) //nolint:errcheck // it is tried again
		}
	}
	return own, s.files.Sync()
}

// chain finds each segment's end, and what is missing between and behind them.
// Whatever the cursor knew to be there, and is not, is lost.
func (s *Spool) chain(segments []onDisk, known bool) error {
	at := uint64(1) // numbers below are accounted for
	hole := func(below uint64, given bool) {
		if at < below {
			gone := s.cur.settled.missing(at, below-1)
			if given && known {
				s.lost(gone, damaged)
			}
			s.cur.settled.add(at, below-1)
		}
		at = max(at, below)
	}
	for i := range segments {
		g := &segments[i]
		least := g.base
		if g.whole {
			least = g.header.prevEnd
		}
		hole(least, g.whole)
		hole(g.base, false)
		if err := s.finish(g, segments[i+1:]); err != nil {
			return err
		}
		at = g.end
		s.segments = append(s.segments, &g.segment)
	}
	if known {
		if g := s.last(); g != nil && s.cur.top > g.end {
			g.end = max(g.end, min(s.cur.top, g.base+segmentNumbers))
			at = g.end
		}
		hole(s.cur.top, true)
	}
	s.end = max(at, 1)
	for _, g := range s.segments {
		if g.end > g.base {
			g.live = int(count(s.cur.settled.missing(g.base, g.end-1)))
		}
	}
	return nil
}

// finish finds the end and the age of a segment: from the header of the one that
// followed it, or by reading it.
func (s *Spool) finish(g *onDisk, after []onDisk) error {
	g.began = g.header.created
	below := uint64(math.MaxUint64)
	if g.base < math.MaxUint64-segmentNumbers {
		below = g.base + segmentNumbers
	}
	if len(after) > 0 {
		next := after[0]
		g.newest = next.header.created
		if next.whole && next.header.prevBase == g.base {
			g.end = min(next.header.prevEnd, below)
			return nil
		}
		below = min(below, next.base)
		if next.whole {
			below = min(below, max(next.header.prevEnd, g.base))
		}
	}
	if cap(s.readers[0].b) < int(g.size) {
		s.readers[0].b = make([]byte, g.size)
	}
	b := s.readers[0].b[:g.size]
	if err := s.fill(g.name(), b, 0); err != nil {
		return err
	}
	g.end = g.base
	off := min(segmentHead, len(b))
	for {
		r, ok := find(b, off, s.seed, g.end, below)
		if !ok {
			break
		}
		g.end, off = r.seq+1, r.end
	}
	// Bytes behind the last record were one, or would have become one.
	if len(after) == 0 && g.end < below && len(bytes.Trim(b[off:], "\x00")) > 0 {
		g.end++
	}
	return nil
}

// number chooses the next number: behind all that may have been given.
func (s *Spool) number(known bool) {
	s.next = max(s.cur.next, s.end)
	newest := uint64(0)
	if g := s.last(); g != nil {
		newest = g.base
	}
	if known && newest < s.cur.newest {
		s.warn("segments are missing that were there: counting goes on far behind them")
		s.next = sum(s.next, lostSegments)
	}
	if newest > 0 && !(known && s.cur.closed && newest == s.cur.newest) {
		s.next = max(s.next, sum(newest, segmentNumbers))
	}
	s.cur.closed = false
}

// syncLast: what the agent before this one wrote, and could not sync before it was
// killed, is found now and must not be lost with the power later.
func (s *Spool) syncLast() error {
	g := s.last()
	if g == nil || g.live == 0 {
		return nil
	}
	f, err := s.files.Open(g.name())
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// sum stops at the highest number.
func sum(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}
