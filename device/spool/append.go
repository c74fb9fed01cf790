package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"time"
)

const (
	segmentTmp = "segment.tmp"
	// lastNumber leaves room for what a crash takes out of use.
	lastNumber = math.MaxUint64 - 4*segmentNumbers
)

// Append keeps a record. When it returns an error the record is not kept, and its
// number is not used again.
func (s *Spool) Append(payload []byte) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, ErrClosed
	}
	if most := min(MaxRecord, s.opt.MaxBytes/8); int64(len(payload)) > most {
		return 0, fmt.Errorf("a record of %d bytes: this spool takes %d at most", len(payload), most)
	}
	if s.next > lastNumber {
		return 0, fmt.Errorf("the spool's numbers are used up (next would be %d): let it drain, then move its folder away, and a new stream begins", s.next)
	}
	s.expire()
	r := record{s.next, append([]byte(nil), payload...)}
	err := s.makeRoom(int64(recordHead + len(payload)))
	if err == nil {
		err = s.put(r)
	}
	if errors.Is(err, syscall.ENOSPC) && s.makeWay() {
		err = s.put(r)
	}
	if err != nil {
		s.cur.settled.add(r.seq, r.seq)
		s.next++
		return 0, fmt.Errorf("append to the spool: %w", err)
	}
	s.next++
	return r.seq, nil
}

// put makes a record durable, or leaves it pending as Sync allows.
func (s *Spool) put(r record) error {
	if s.takes(r) {
		g := s.last()
		b := appendRecord(nil, s.seed, r.seq, r.payload)
		_, err := s.active.WriteAt(b, g.size+int64(s.waiting))
		if err == nil {
			s.pending, s.waiting = append(s.pending, r), s.waiting+len(b)
			if s.waiting <= maxPending && time.Since(s.synced) < s.opt.Sync {
				return nil
			}
			if err = s.sync(); err == nil {
				return nil
			}
			s.pending, s.waiting = s.pending[:len(s.pending)-1], s.waiting-len(b)
		}
		s.warn("segment %s is given up, and its unsynced records go to a new one: %v", g.name(), err)
		s.seal()
	}
	return s.begin(&r)
}

// takes says whether the active segment has room for r. One that has not is synced.
func (s *Spool) takes(r record) bool {
	if s.active == nil {
		return false
	}
	g := s.last()
	fits := g.size+int64(s.waiting+recordHead+len(r.payload)) <= int64(s.opt.SegmentBytes) && r.seq-g.base < segmentNumbers
	// A segment goes as a whole: at least eight share MaxAge.
	young := s.opt.MaxAge == 0 || g.began.IsZero() || s.opt.Now().Sub(g.began) < s.opt.MaxAge/8
	if fits && young {
		return true
	}
	s.sync() //nolint:errcheck // what could not be synced is written again with r
	return false
}

// sync makes what was written durable. After an error the segment is not trusted
// beyond its last good sync: the kernel may have forgotten what it could not write.
func (s *Spool) sync() error {
	if len(s.pending) == 0 {
		return nil
	}
	if err := s.active.Sync(); err != nil {
		return err
	}
	s.durable()
	return nil
}

// durable takes the pending records over into the last segment.
func (s *Spool) durable() {
	g := s.last()
	g.size += int64(s.waiting)
	for _, r := range s.pending {
		g.end = r.seq + 1
		if !s.cur.settled.has(r.seq) {
			g.live++
		}
	}
	if now := s.opt.Now(); !now.IsZero() {
		g.newest = now
	}
	s.end, s.synced = g.end, time.Now()
	clear(s.pending)
	s.pending, s.waiting = s.pending[:0], 0
}

// begin starts a segment with the pending records and r, all of them durable when it
// returns nil. Otherwise they are where they were.
func (s *Spool) begin(r *record) error {
	s.seal()
	records := append([]record(nil), s.pending...)
	if r != nil {
		records = append(records, *r)
	}
	if len(records) == 0 {
		return nil
	}
	base, now := records[0].seq, s.opt.Now()
	h := header{stream: s.cur.stream, machine: s.cur.machine, base: base, prevEnd: s.end, created: now}
	if g := s.last(); g != nil {
		h.prevBase = g.base
	}
	b := h.encode()
	for _, r := range records {
		b = appendRecord(b, s.seed, r.seq, r.payload)
	}
	f, err := s.install(segmentTmp, segmentName(base), b)
	if err != nil {
		s.files.Remove(segmentName(base)) //nolint:errcheck // it is not ours to keep; after a crash it may come
		return err
	}
	if base > s.end {
		s.cur.settled.add(s.end, base-1)
	}
	s.segments = append(s.segments, &segment{base: base, end: base, size: segmentHead, began: now})
	s.active = f
	s.pending, s.waiting = records, len(b)-segmentHead
	s.durable()
	return nil
}

// install writes a file so that it is there as a whole or not at all.
func (s *Spool) install(tmp, name string, b []byte) (file, error) {
	f, err := s.files.Create(tmp)
	if errors.Is(err, fs.ErrExist) {
		s.files.Remove(tmp) //nolint:errcheck // then it cannot be created either
		f, err = s.files.Create(tmp)
	}
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.files.Rename(tmp, name)
	}
	if err == nil {
		err = s.files.Sync()
	}
	if err != nil {
		f.Close()
		s.files.Remove(tmp) //nolint:errcheck // the next one does it
		return nil, err
	}
	return f, nil
}

// seal ends the active segment at its last good sync.
func (s *Spool) seal() {
	if s.active != nil {
		s.active.Close()
		s.active = nil
	}
}

// syncPending makes all pending records durable, in a new segment if need be.
func (s *Spool) syncPending() error {
	if len(s.pending) == 0 {
		return nil
	}
	if s.active != nil && s.sync() == nil {
		return nil
	}
	return s.begin(nil)
}
