package demo

import "sync"

// Books are the messages that the gateway has confirmed. The zero value is empty.
type Books struct {
	mu      sync.Mutex
	kept    int
	entries map[string]entry // by the reading's id
	kinds   [Malformed + 1]int
}

type entry struct {
	device string
	kind   Kind
}

// Enter books a confirmed message, once however often it is confirmed.
func (b *Books) Enter(m *Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries == nil {
		b.entries = map[string]entry{}
	}
	if _, there := b.entries[m.ID]; there {
		return
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

// Kept is how many readings the devices' spools have taken: nothing may happen to them
// from then on.
func (b *Books) Kept() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept
}

func (b *Books) keep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept++
}
