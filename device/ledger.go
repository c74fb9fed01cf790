package device

import (
	"time"

	"go.uber.org/zap"
)

const (
	maxOwed   = 1024 // confirmed readings that the spool could not forget
	owedPause = 5 * time.Second
)

// ledger is what is known of readings beside what the spool knows: which are
// confirmed and could not be forgotten, and which timestamps were told already.
type ledger struct {
	spool Spool
	ring  *ring
	board *board
	log   *zap.Logger

	owed      map[key]bool
	try       time.Time
	stamps    map[key]told
	confirmed uint64
}

type told struct {
	at   int64
	mark string
}

func newLedger(s Spool, r *ring, b *board, log *zap.Logger) *ledger {
	return &ledger{spool: s, ring: r, board: b, log: log, owed: map[key]bool{}, stamps: map[key]told{}}
}

// confirm is called once the gateway has the reading: only now it may be forgotten.
func (l *ledger) confirm(k key) {
	delete(l.stamps, k)
	l.confirmed++
	l.board.update(func(st *Status) { st.Sent++ })
	l.forget(k)
}

func (l *ledger) forget(k key) {
	store := l.spool
	if k.ring {
		store = l.ring
	}
	if err := store.Ack(k.seq); err != nil {
		l.owed[k] = true
		if l.board.spool(spoolForgets, err) {
			l.log.Error("the spool does not forget what is confirmed", zap.Error(err))
		}
		return
	}
	delete(l.owed, k)
	if !k.ring && len(l.owed) == 0 && l.board.spool(spoolForgets, nil) {
		l.log.Info("the spool forgets again what is confirmed")
	}
}

// owes says that the reading is confirmed, and only its spool does not know.
func (l *ledger) owes(k key) bool { return l.owed[k] }

// full says that no more of the backlog may be sent before the spool forgets again.
func (l *ledger) full() bool { return len(l.owed) >= maxOwed }

// retry asks the spool again to forget.
func (l *ledger) retry(now time.Time) {
	if len(l.owed) == 0 || now.Before(l.try) {
		return
	}
	l.try = now.Add(owedPause)
	for k := range l.owed {
		l.forget(k)
		if l.owed[k] {
			return // it still does not; no use to ask for each
		}
	}
}

// stamp returns what a reading was told to be from, if it was told before: two
// copies of it are alike, whatever the clock learnt in between. Only what is not
// simply the record's own needs to be remembered.
func (l *ledger) stamp(k key, tell func() (int64, string)) (at int64, mark string) {
	if t, ok := l.stamps[k]; ok {
		return t.at, t.mark
	}
	at, mark = tell()
	if mark == markRestamped {
		l.stamps[k] = told{at, mark}
	}
	return at, mark
}
