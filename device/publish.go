package device

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	topicState = "state"
	topicGap   = "events/gap"
	diskPause  = 5 * time.Second // before the spool is read again after an error
	skipped    = 1000            // records that are passed over without a look at anything else
)

// fill publishes what may go now: state, live readings, gaps, backlog, in this order.
// It returns when to look again.
func (s *sender) fill(session Session) time.Duration {
	now := time.Now()
	next := houseTime
	s.depth()
	s.ledger.retry(now)
	if s.room(0) {
		if body, wait := s.control.state(now); body != nil {
			s.send(session, topicState, body, flight{kind: aState})
		} else if wait > 0 {
			next = min(next, wait)
		}
	}
	for s.room(0) {
		k, ok := s.lane.pop()
		if !ok {
			break
		}
		s.live(session, k)
	}
	for s.room(0) {
		g, ok := s.gaps.next(now)
		if !ok {
			break
		}
		s.send(session, topicGap, appendGap(nil, s.settings.DeviceID, s.now(), g), flight{kind: aGap, gap: g})
	}
	for s.room(s.settings.Window / 8) { // the rest is kept free for live readings
		wait, ok := s.pace.ready(now)
		if !ok {
			return min(next, wait)
		}
		if !s.oldest(session, now) {
			break
		}
		s.pace.take()
	}
	return next
}

// room says whether another message may be under way, beside so many.
func (s *sender) room(kept int) bool { return len(s.out) < s.settings.Window-kept }

func (s *sender) store(ring bool) Spool {
	if ring {
		return s.ring
	}
	return s.spool
}

// live publishes a reading that was just taken, unless it was confirmed or dropped
// in the meantime. One that cannot be read is left to the backlog.
func (s *sender) live(session Session, k key) {
	if s.busy[k] || s.ledger.owes(k) {
		return
	}
	seq, raw, ok := s.next(k.ring, k.seq)
	if ok && seq == k.seq {
		s.reading(session, k, raw, true)
	}
}

// oldest publishes the first reading of the backlog: of the ring, which does not
// survive, before the spool's. It is false when there is none.
func (s *sender) oldest(session Session, now time.Time) bool {
	for _, ring := range []bool{true, false} {
		if !ring && (now.Before(s.readable) || s.ledger.full()) {
			continue
		}
		cursor := s.at(ring)
		for range skipped {
			seq, raw, ok := s.next(ring, *cursor)
			if !ok {
				break
			}
			k := key{ring, seq}
			*cursor = max(seq, seq+1) // there is a last number
			if !s.busy[k] && !s.ledger.owes(k) && s.reading(session, k, raw, false) {
				return true
			}
		}
	}
	return false
}

func (s *sender) at(ring bool) *uint64 {
	if ring {
		return &s.cursor[1]
	}
	return &s.cursor[0]
}

// next reads a store. An error is noted, and spares the disk for a while.
func (s *sender) next(ring bool, from uint64) (seq uint64, raw []byte, ok bool) {
	seq, raw, err := s.store(ring).Next(from)
	if err == nil && seq < from {
		err = fmt.Errorf("record %d was given for %d", seq, from)
	}
	if err != nil && !errors.Is(err, ErrEmpty) {
		s.readable = time.Now().Add(diskPause)
		if s.board.spool(spoolReads, err) {
			s.log.Error("the spool cannot be read", zap.Error(err))
		}
		return 0, nil, false
	}
	if !ring && s.board.spool(spoolReads, nil) {
		s.log.Info("the spool can be read again")
	}
	return seq, raw, err == nil
}

// reading publishes a record. A damaged one goes up as a gap; one of another version
// waits in the spool for the program that can read it, and false is returned.
func (s *sender) reading(session Session, k key, raw []byte, live bool) bool {
	stream := s.store(k.ring).Stream()
	r, err := decodeRecord(raw)
	f := flight{kind: aReading, key: k, live: live}
	switch {
	case errors.Is(err, errVersion):
		if !s.foreign {
			s.foreign = true
			s.log.Warn("the spool holds records that this version cannot read: they stay there", zap.Error(err))
		}
		return false
	case err != nil:
		s.log.Error("a record cannot be read: it is reported as lost", zap.Uint64("seq", k.seq), zap.Error(err))
		s.send(session, topicGap, appendGap(nil, s.settings.DeviceID, s.now(), Gap{stream, k.seq, k.seq, "damaged"}), f)
	default:
		at, mark := s.ledger.stamp(k, func() (int64, string) { return s.times.tell(&r) })
		topic := "events"
		if s.settings.Subfolder != "" {
			topic += "/" + s.settings.Subfolder
		}
		s.send(session, topic, r.appendBody(nil, s.settings.DeviceID, readingID(stream, k.seq), at, mark), f)
	}
	s.busy[k] = true
	return true
}

func (s *sender) send(session Session, topic string, body []byte, f flight) {
	s.ticket++
	ticket := s.ticket
	f.at = time.Now()
	s.out[ticket] = &f
	session.Publish(topic, body, func(err error) { s.results.add(ticket, err) })
}

// collect books what became of messages. What failed stays where it is kept; the
// error is the first one.
func (s *sender) collect() (failed error) {
	for _, r := range s.results.take() {
		f := s.out[r.ticket]
		if f == nil {
			continue // of an earlier session, or told twice
		}
		if r.err != nil {
			if failed == nil {
				failed = lost(r.err)
			}
			continue
		}
		delete(s.out, r.ticket)
		now := s.times.clock.Now()
		s.board.update(func(st *Status) { st.LastPuback = now })
		switch f.kind {
		case aReading:
			delete(s.busy, f.key)
			s.ledger.confirm(f.key)
		case aGap:
			s.gaps.confirm(f.gap)
		case aState:
			s.control.stateConfirmed()
		}
	}
	return failed
}

// tickets are those under way, oldest first.
func (s *sender) tickets() []uint64 { return slices.Sorted(maps.Keys(s.out)) }

func (s *sender) now() int64 { return millis(s.times.clock.Now()) }
