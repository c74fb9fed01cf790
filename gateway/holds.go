package gateway

import (
	"slices"
	"sync"
)

// Holds is what keeps the gateway from being ready: a line a place (a topic, the
// store). The zero value is ready for use; a nil *Holds takes everything and tells
// nothing.
type Holds struct {
	mu     sync.Mutex
	places map[string]string
}

// Set says in an operator's words why place does not work.
func (h *Holds) Set(place, why string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.places == nil {
		h.places = map[string]string{}
	}
	h.places[place] = why
}

// Clear says that place works.
func (h *Holds) Clear(place string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.places, place)
}

// Reasons is one line a held place, sorted; none when nothing is held.
func (h *Holds) Reasons() []string {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for place, why := range h.places {
		out = append(out, place+": "+why)
	}
	slices.Sort(out)
	return out
}
