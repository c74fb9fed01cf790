package mqtt

import (
	"sync"
	"time"
)

const (
	fewWriters  = 16                   // write at a time, as long as none of them is stuck
	stuckWriter = 5 * time.Millisecond // without an end of any write: one more is taken on
)

// writers write what sessions have queued, so that a session needs no goroutine for
// it and its reader's stack stays small. A session is written by one at a time. A
// device that does not read holds up one of them and no other session.
type writers struct {
	mu     sync.Mutex
	queue  []*session
	idle   []chan *session // of those that have nothing to do
	active int
	over   bool
	watch  *time.Timer // while all are busy and somebody waits
}

// write has the session's queue written, now or soon. It does not block.
func (w *writers) write(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch n := len(w.idle); {
	case n > 0:
		w.idle[n-1] <- s // never full: it has left the list
		w.idle = w.idle[:n-1]
	case w.active < fewWriters:
		w.hire(s)
	default:
		w.queue = append(w.queue, s)
		if w.watch == nil {
			w.watch = time.AfterFunc(stuckWriter, w.relieve)
		}
	}
}

func (w *writers) hire(s *session) {
	w.active++
	go w.work(s)
}

// relieve takes on one more: for a while nobody found the time for who waits.
func (w *writers) relieve() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watch = nil; len(w.queue) > 0 {
		w.hire(w.take())
		if len(w.queue) > 0 {
			w.watch = time.AfterFunc(stuckWriter, w.relieve)
		}
	}
}

func (w *writers) take() *session {
	s := w.queue[0]
	w.queue[0] = nil
	w.queue = w.queue[1:]
	return s
}

// work writes for one session after another, until end.
func (w *writers) work(s *session) {
	next := make(chan *session, 1)
	for s != nil {
		s.flush()
		w.mu.Lock()
		switch {
		case len(w.queue) > 0:
			s = w.take()
			w.mu.Unlock()
		case w.active > fewWriters || w.over:
			w.active--
			w.mu.Unlock()
			return
		default:
			w.idle = append(w.idle, next)
			w.mu.Unlock()
			s = <-next
		}
	}
}

// end lets the writers go. No session is left.
func (w *writers) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, idle := range w.idle {
		close(idle)
	}
	w.idle = nil
}
