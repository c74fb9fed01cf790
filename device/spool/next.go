package spool

import (
	"errors"
	"io"
	"io/fs"
	"sort"

	"iotbridge/device"
)

// reader is a place in a segment. Numbers below next have been passed.
type reader struct {
	base uint64 // of the segment, 0 for none
	b    []byte // its first bytes
	off  int    // where the next record should begin
	next uint64
	used uint64 // the turn it was last used in
}

// Next returns the first record at or after from that is neither settled nor lost, or
// device.ErrEmpty. The record is valid until the next call of Next.
func (s *Spool) Next(from uint64) (seq uint64, payload []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, nil, ErrClosed
	}
	for {
		from = s.cur.settled.free(from)
		i := sort.Search(len(s.segments), func(i int) bool { return s.segments[i].end > from })
		if i == len(s.segments) {
			break
		}
		g := s.segments[i]
		if from < g.base {
			from = g.base
			continue
		}
		r, ok, err := s.read(g, from)
		if err != nil {
			return 0, nil, err
		}
		if ok && !s.cur.settled.has(r.seq) {
			return r.seq, r.payload, nil
		}
		if from = g.end; ok {
			from = r.seq + 1
		}
	}
	for _, r := range s.pending {
		if r.seq >= from && !s.cur.settled.has(r.seq) {
			return r.seq, r.payload, nil
		}
	}
	return 0, nil, device.ErrEmpty
}

// read returns the first record of g at or after from. What it passes by and does not
// find is lost.
func (s *Spool) read(g *segment, from uint64) (found, bool, error) {
	r := s.reader(g, from)
	for {
		rec, ok := find(r.b, r.off, s.seed, r.next, g.end)
		if !ok && int64(len(r.b)) < g.size {
			if err := s.load(r, g); err != nil {
				return found{}, false, err
			}
			continue
		}
		if !ok {
			s.lose(g, r.next, g.end, damaged)
			r.next = g.end
			return found{}, false, nil
		}
		s.lose(g, r.next, rec.seq, damaged)
		r.next, r.off = rec.seq+1, rec.end
		if rec.seq >= from {
			return rec, true, nil
		}
	}
}

// reader returns the one that is nearest before from, else the one not used for longest.
func (s *Spool) reader(g *segment, from uint64) *reader {
	var best *reader
	for i := range s.readers {
		r := &s.readers[i]
		if r.base == g.base && r.next <= from && (best == nil || r.next > best.next) {
			best = r
		}
	}
	if best == nil {
		best = &s.readers[0]
		for i := range s.readers {
			if r := &s.readers[i]; r.used < best.used {
				best = r
			}
		}
		*best = reader{base: g.base, b: best.b[:0], off: segmentHead, next: g.base}
	}
	s.turn++
	best.used = s.turn
	return best
}

const block = 4096

// load reads what r has not yet of g.
func (s *Spool) load(r *reader, g *segment) error {
	have := len(r.b)
	if cap(r.b) < int(g.size) {
		b := make([]byte, have, max(int(g.size), s.opt.SegmentBytes))
		copy(b, r.b)
		r.b = b
	}
	b := r.b[have:g.size]
	err := s.fill(g.name(), b, int64(have))
	if errors.Is(err, fs.ErrNotExist) {
		clear(b)
		err = nil
	}
	if err != nil {
		return err
	}
	r.b = r.b[:g.size]
	return nil
}

// fill reads b from off. A block that cannot be read is zeros, which are no record;
// where none can, and the disk takes no write either, it may be back later: an error.
func (s *Spool) fill(name string, b []byte, off int64) error {
	f, err := s.files.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := f.ReadAt(b, off)
	if err == nil || errors.Is(err, io.EOF) {
		clear(b[n:])
		return nil
	}
	first, good := err, false
	for start := 0; start < len(b); start += block {
		part := b[start:min(start+block, len(b))]
		n, err := f.ReadAt(part, off+int64(start))
		if err == nil || errors.Is(err, io.EOF) {
			good = good || n > 0
		} else {
			n = 0
		}
		clear(part[n:])
	}
	if !good && s.alive() != nil {
		return first
	}
	s.warn("parts of %s cannot be read and are lost: replace the card soon: %v", name, first)
	return nil
}

// alive says whether the disk still keeps what is written to it.
func (s *Spool) alive() error {
	f, err := s.install(cursorTmp, cursorTmp, make([]byte, block))
	if err != nil {
		return err
	}
	f.Close()
	return s.files.Remove(cursorTmp)
}
