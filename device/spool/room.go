package spool

// makeRoom keeps to MaxBytes: confirmed segments go first, then, unless set to block,
// the oldest unsent ones.
func (s *Spool) makeRoom(need int64) error {
	for s.bytes()+segmentHead+need > s.opt.MaxBytes {
		if s.settledSegments() {
			if err := s.flush(); err != nil {
				return err
			}
			continue
		}
		if s.opt.Block || !s.dropOldest() {
			return ErrFull
		}
	}
	return nil
}

// makeWay makes room on a disk that is full: confirmed segments, else one of unsent
// ones, go. It says whether there may be room now.
func (s *Spool) makeWay() bool {
	if !s.settledSegments() && (s.opt.Block || !s.dropOldest()) {
		return false
	}
	if err := s.flush(); err != nil {
		s.warn("a full disk, and nothing can be removed from the spool: %v", err)
		return false
	}
	return true
}

// dropOldest gives the oldest segment up, but never the last one.
func (s *Spool) dropOldest() bool {
	for _, g := range s.segments {
		if g.live > 0 && g != s.last() {
			s.lose(g, g.base, g.end, full)
			return true
		}
	}
	return false
}

// expire gives up segments whose last record is too old. What was written while the
// clock was not plausible begins to age when it is.
func (s *Spool) expire() {
	now := s.opt.Now()
	if s.opt.MaxAge == 0 || now.IsZero() {
		return
	}
	for _, g := range s.segments {
		if g.newest.IsZero() {
			g.newest = now
		}
		if g.live > 0 && now.Sub(g.newest) > s.opt.MaxAge {
			s.lose(g, g.base, g.end, age)
		}
	}
}
