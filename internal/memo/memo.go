// Package memo keeps answers for a while, for all who ask the same. One of them asks;
// the others wait for its answer, each no longer than its own context lets it.
package memo

import (
	"context"
	"sync"
	"time"
)

// Memo keeps answers by what was asked. The zero value is ready for use.
type Memo[K comparable, V any] struct {
	mu      sync.Mutex
	answers map[K]*answer[V]
}

// Terms are how long an answer is good, and how long an error is one.
type Terms struct{ Good, Bad time.Duration }

const most = 1000 // answers that are kept, and nobody waits for

type answer[V any] struct {
	turn  chan struct{} // is full while one asks
	users int
	at    time.Time // zero: nobody has asked
	value V
	err   error
}

func (a *answer[V]) good(t Terms) bool {
	age := time.Since(a.at)
	return !a.at.IsZero() && (a.err == nil && age < t.Good || a.err != nil && age < t.Bad)
}

// Answer is the one that is kept, or else ask's. That who asks has gone is no answer.
func (m *Memo[K, V]) Answer(ctx context.Context, key K, t Terms, ask func(context.Context) (V, error)) (value V, err error) {
	a := m.join(key)
	defer m.leave(a)
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return value, ctx.Err()
	}
	if a.good(t) {
		return a.value, a.err
	}
	value, err = ask(ctx)
	if err == nil || ctx.Err() == nil {
		a.value, a.err, a.at = value, err, time.Now()
	}
	return value, err
}

func (m *Memo[K, V]) join(key K) *answer[V] {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := m.answers[key]
	if a == nil {
		m.makeRoom()
		a = &answer[V]{turn: make(chan struct{}, 1)}
		m.answers[key] = a
	}
	a.users++
	return a
}

func (m *Memo[K, V]) makeRoom() {
	if m.answers == nil {
		m.answers = map[K]*answer[V]{}
	}
	for key, a := range m.answers {
		if len(m.answers) < most {
			return
		}
		if a.users == 0 {
			delete(m.answers, key)
		}
	}
}

func (m *Memo[K, V]) leave(a *answer[V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.users--
}
