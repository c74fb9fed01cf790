package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

const (
	cursorName   = "cursor"
	cursorTmp    = "cursor.tmp"
	reserveName  = "reserve"
	reserveAfter = time.Minute
)

// flush writes the cursor, and unlinks what it says is settled: in this order, so that
// no confirmed record ever looks like a lost one.
func (s *Spool) flush() error {
	s.acks, s.flushed = 0, time.Now()
	s.cur.next, s.cur.top = s.next, s.end
	if g := s.last(); g != nil {
		s.cur.newest = g.base
		if s.active != nil {
			s.cur.next = max(s.cur.next, g.base+segmentNumbers)
		}
	}
	b := s.cur.encode()
	err := s.writeCursor(b)
	if errors.Is(err, syscall.ENOSPC) && s.reserve > 0 {
		s.reserve, s.reserveTry = 0, time.Now()
		s.files.Remove(reserveName) //nolint:errcheck // then there is still no room, and the next line says so
		err = s.writeCursor(b)
	}
	if err != nil {
		return fmt.Errorf("write the spool's cursor: %w", err)
	}
	s.dirty = false
	held := len(s.segments)
	if err := s.unlink(); err != nil {
		return err
	}
	s.keepReserve(len(b), len(s.segments) < held)
	return nil
}

func (s *Spool) writeCursor(b []byte) error {
	f, err := s.install(cursorTmp, cursorName, b)
	if err != nil {
		return err
	}
	f.Close()
	return nil
}

// settledSegments says whether some segment may go.
func (s *Spool) settledSegments() bool {
	for _, g := range s.segments {
		if g.live == 0 && g != s.last() {
			return true
		}
	}
	return false
}

func (s *Spool) unlink() error {
	if !s.settledSegments() {
		return nil
	}
	var failed error
	left := s.segments[:0]
	for i, g := range s.segments {
		if g.live > 0 || i == len(s.segments)-1 {
			left = append(left, g)
			continue
		}
		if err := s.files.Remove(g.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
			left = append(left, g)
			continue
		}
		for i := range s.readers {
			if s.readers[i].base == g.base {
				s.readers[i].base = 0
			}
		}
	}
	clear(s.segments[len(left):])
	s.segments = left
	if err := errors.Join(failed, s.files.Sync()); err != nil {
		return fmt.Errorf("remove confirmed records: %w", err)
	}
	return nil
}

// keepReserve makes the file that is given up when a full disk would not even take
// the cursor, and so never be emptied. freed: it may find room that was not there.
func (s *Spool) keepReserve(cursor int, freed bool) {
	if s.reserve >= cursor || !freed && !s.reserveTry.IsZero() && time.Since(s.reserveTry) < reserveAfter {
		return
	}
	s.reserveTry = time.Now()
	if s.reserve > 0 {
		s.files.Remove(reserveName) //nolint:errcheck // then it cannot be created either
		s.reserve = 0
	}
	f, err := s.files.Create(reserveName)
	if err != nil {
		return
	}
	b := make([]byte, (2*cursor/block+1)*block)
	for i := range b {
		b[i] = byte(i) // no file system keeps these without blocks
	}
	_, err = f.WriteAt(b, 0)
	if f.Close() != nil || err != nil {
		s.files.Remove(reserveName) //nolint:errcheck // it is tried again
		return
	}
	s.reserve = len(b)
}

// Flush writes down what may not stay unwritten for longer.
func (s *Spool) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.expire()
	var err error
	if time.Since(s.synced) >= s.opt.Sync {
		err = s.syncPending()
	}
	if s.dirty && time.Since(s.flushed) >= flushEvery {
		err = errors.Join(err, s.flush())
	}
	return err
}

// Run flushes until ctx ends: without it, what waits does so until the next Append,
// Ack or Close. What the disk says to it is a warning, once until it changes.
func (s *Spool) Run(ctx context.Context) error {
	every := flushEvery
	if s.opt.Sync > 0 {
		every = min(every, s.opt.Sync)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := ""
		if err := s.Flush(); err != nil {
			now = err.Error()
		}
		if now != said && now != "" {
			s.warn("the spool's disk: %s", now)
		}
		said = now
	}
}
