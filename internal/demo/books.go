package demo

import (
	"regexp"
	"sync"
)

// Books are the messages that the gateway has confirmed. The zero value is empty.
type Books struct {
	mu      sync.Mutex
	entries map[string]entry // by the message's own id
	kinds   [Malformed + 1]int
}

type entry struct {
	device string
	kind   Kind
}

// Enter books a confirmed message.
func (b *Books) Enter(m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]entry{}
	}
	b.entries[m.ID] = entry{m.Device, m.Kind}
	b.kinds[m.Kind]++
}

// Published is how many messages were confirmed.
func (b *Books) Published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}

var ownID = regexp.MustCompile(`\brun-[a-z0-9]+-[0-9]+-[0-9]+\b`)

// idIn finds the message's own id in what it says. A device does not learn the id that
// Pub/Sub gave its message.
func idIn(said string) string { return ownID.FindString(said) }
