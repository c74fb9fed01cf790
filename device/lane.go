package device

import (
	"slices"
	"sync"
)

// key is a record's place.
type key struct {
	ring bool // in memory, else in the spool
	seq  uint64
}

// lane is the fast one: readings that were just taken, first in, first out. Of more
// than it holds the oldest leave it, and are backlog.
type lane struct {
	most int
	wake chan struct{} // has a value when there may be something

	mu   sync.Mutex
	keys []key
}

func newLane(most int) *lane { return &lane{most: most, wake: make(chan struct{}, 1)} }

func (l *lane) push(k key) {
	l.mu.Lock()
	l.keys = append(l.keys, k)
	if len(l.keys) > l.most {
		l.keys = append(l.keys[:0], l.keys[len(l.keys)-l.most:]...)
	}
	l.mu.Unlock()
	signal(l.wake)
}

// again puts back what was taken before all that is there now.
func (l *lane) again(keys []key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := slices.Concat(keys, l.keys)
	l.keys = all[max(0, len(all)-l.most):]
}

func (l *lane) pop() (k key, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.keys) == 0 {
		return key{}, false
	}
	k = l.keys[0]
	l.keys = append(l.keys[:0], l.keys[1:]...)
	return k, true
}

// signal leaves a value in a channel of one, if none is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
