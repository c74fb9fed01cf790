package gateway

import (
	"slices"
	"sync"
)

// Cause says who keeps the gateway from being ready. The set is closed: it is a metric
// label.
type Cause string

// The causes.
const (
	CauseStore    Cause = "store"    // does not answer
	CausePubSub   Cause = "pubsub"   // a topic cannot be published to
	CauseStopping Cause = "stopping" // nobody: it ends
)

// Causes is the closed set.
var Causes = []Cause{CauseStore, CausePubSub, CauseStopping}

// Holds is what keeps the gateway from being ready: a line a place (a topic, the
// store). The zero value is ready for use; a nil *Holds takes everything and tells
// nothing.
type Holds struct {
	mu     sync.Mutex
	places map[string]hold
}

type hold struct {
	cause Cause
	why   string
}

// Set says in an operator's words why place does not work.
func (h *Holds) Set(place string, cause Cause, why string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.places == nil {
		h.places = map[string]hold{}
	}
	h.places[place] = hold{cause, why}
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
	for place, held := range h.places {
		out = append(out, place+": "+held.why)
	}
	slices.Sort(out)
	return out
}

// Held says whether a place is held for the cause.
func (h *Holds) Held(cause Cause) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, held := range h.places {
		if held.cause == cause {
			return true
		}
	}
	return false
}
