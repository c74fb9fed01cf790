package spool

import (
	"fmt"
	"sort"
	"time"

	"iotbridge/device"
)

// Ack forgets a record. An error is the disk's: the record is forgotten all the same,
// and comes again only after a crash.
func (s *Spool) Ack(seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if seq >= s.next {
		return fmt.Errorf("record %d was never appended", seq)
	}
	if s.cur.settled.has(seq) {
		return nil
	}
	s.cur.settled.add(seq, seq)
	if g := s.holding(seq); g != nil {
		g.live--
	}
	s.forget()
	s.acks++
	return s.changed()
}

// holding returns the segment that seq is in, or nil.
func (s *Spool) holding(seq uint64) *segment {
	i := sort.Search(len(s.segments), func(i int) bool { return s.segments[i].end > seq })
	if i == len(s.segments) || s.segments[i].base > seq {
		return nil
	}
	return s.segments[i]
}

// forget bounds what is remembered of settled numbers: the records of the shortest
// span come again.
func (s *Spool) forget() {
	if len(s.cur.settled) <= maxSettled {
		return
	}
	var shortest span
	var in *segment
	for _, x := range s.cur.settled {
		if in != nil && x.count() >= shortest.count() {
			continue
		}
		if g := s.holding(x.first); g != nil && x.last < g.end {
			shortest, in = x, g
		}
	}
	if in != nil {
		s.cur.settled.remove(shortest.first, shortest.last)
		in.live += int(shortest.count())
	}
}

// Gaps returns what was lost and not yet reported.
func (s *Spool) Gaps() []device.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []device.Gap
	for why, list := range s.cur.gaps {
		for _, x := range list {
			out = append(out, device.Gap{Stream: s.Stream(), First: x.first, Last: x.last, Why: words[why]})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].First < out[j].First })
	return out
}

// Reported forgets a gap; what was added to it since stays.
func (s *Spool) Reported(g device.Gap) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	for why, word := range words {
		if g.Why == word && g.Stream == s.Stream() && g.First <= g.Last {
			s.cur.gaps[why].remove(g.First, g.Last)
			return s.changed()
		}
	}
	return fmt.Errorf("no gap of this spool: %d to %d (%s) of stream %s", g.First, g.Last, g.Why, g.Stream)
}

// lose settles what is left of [first, below) of g, and counts it.
func (s *Spool) lose(g *segment, first, below uint64, why int) {
	if first >= below {
		return
	}
	lost := s.cur.settled.missing(first, below-1)
	for _, x := range lost {
		g.live -= int(x.count())
	}
	s.lost(lost, why)
}

func (s *Spool) lost(lost []span, why int) {
	for _, x := range lost {
		s.cur.settled.add(x.first, x.last)
		s.cur.gaps[why].add(x.first, x.last)
		s.cur.dropped += x.count()
		s.dirty = true
	}
	for len(s.cur.gaps[why]) > maxGaps {
		s.forgetGap(why)
	}
}

// forgetGap gives up reporting the smallest gap. It stays counted.
func (s *Spool) forgetGap(why int) {
	gaps := s.cur.gaps[why]
	least := gaps[0]
	for _, x := range gaps {
		if x.count() < least.count() {
			least = x
		}
	}
	s.warn("too many gaps: records %d to %d (%s) will not be reported as lost", least.first, least.last, words[why])
	s.cur.gaps[why].remove(least.first, least.last)
}

// changed writes the cursor when that is due.
func (s *Spool) changed() error {
	s.dirty = true
	if s.acks < flushAcks && time.Since(s.flushed) < flushEvery {
		return nil
	}
	return s.flush()
}
