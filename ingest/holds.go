package ingest

import (
	"slices"
	"sync"
)

// Cause says why data is held. The set is closed: it is a metric label.
type Cause string

// The causes.
const (
	Missing     Cause = "missing"     // a table, dataset or subscription is not there
	Permission  Cause = "permission"  // denied, or no valid credentials
	Drift       Cause = "schema"      // the table's schema does not contain ours
	Quota       Cause = "quota"       // the service asks for less
	Unavailable Cause = "unavailable" // an outage
	Unproven    Cause = "unproven"    // refused, and no other row shows whose fault it is
)

// Causes is the closed set.
var Causes = []Cause{Missing, Permission, Drift, Quota, Unavailable, Unproven}

// Holds is what keeps the worker from being ready: at most one cause a place.
// The zero value is ready for use; a nil *Holds takes everything and tells nothing.
type Holds struct {
	mu     sync.Mutex
	places map[string]Held
	change func(Cause, bool) // tells the gauge
}

// Set says that place (a table or a subscription) is held. It returns whether it
// was already, for the same cause.
func (h *Holds) Set(place string, held *Held) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before, ok := h.places[place]
	if h.places == nil {
		h.places = map[string]Held{}
	}
	h.places[place] = *held
	h.tell()
	return ok && before.Cause == held.Cause
}

// Clear says that place works.
func (h *Holds) Clear(place string) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.places[place]; ok {
		delete(h.places, place)
		h.tell()
	}
}

// Reasons are the details of what is held, sorted; none when nothing is.
func (h *Holds) Reasons() []string {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, held := range h.places {
		out = append(out, held.Detail)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (h *Holds) tell() {
	if h.change == nil {
		return
	}
	for _, c := range Causes {
		held := false
		for _, p := range h.places {
			held = held || p.Cause == c
		}
		h.change(c, held)
	}
}
