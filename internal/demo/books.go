package demo

import "sync"

// Books are the messages that Pub/Sub has confirmed. The zero value is empty.
type Books struct {
	mu      sync.Mutex
	entries map[string]entry // by message id
	kinds   [Malformed + 1]int
}

type entry struct {
	device string
	kind   Kind
}

// Enter books a confirmed message.
func (b *Books) Enter(id string, m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]entry{}
	}
	b.entries[id] = entry{m.Device, m.Kind}
	b.kinds[m.Kind]++
}

// Published is how many messages were confirmed.
func (b *Books) Published() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.entries)
}
