// Package fault is how a test makes the local cloud fail: rules by method and by
// call, consulted by the servers themselves, so that a failure can come before
// the work, after it, or inside a stream.
package fault

import (
	"context"
	"sync"
	"time"
)

// Rule says which calls fail, and how. A call is one request of a unary method or
// one message of a stream.
type Rule struct {
	Method string         // "Publish", "StreamingPull", "AppendRows", "tables.insert", …
	Match  func(any) bool // nil: every request
	From   int            // the first matching call that fails, counted from 1; 0 is 1
	Every  int            // and each Every-th from there; 0 is 1
	Times  int            // as often at the most; 0: no bound

	Delay time.Duration // before the work
	Hang  bool          // no answer until the caller gives up
	Err   error         // a gRPC status, instead of the answer
	After bool          // the work is done, and its answer lost or replaced
	Cut   bool          // Err ends the stream and is not answered in band
	// RowErrors names the rows of an AppendRows that are refused, by index.
	RowErrors func(rows [][]byte) []int
}

// Injector holds the rules of one server. The zero value has none; a nil
// *Injector may be consulted.
type Injector struct {
	mu    sync.Mutex
	rules []*armed
}

type armed struct {
	Rule
	seen, fired int
}

// Handle is one rule in force.
type Handle struct {
	in   *Injector
	rule *armed
}

// Add puts a rule in force. Rules are asked in the order in which they came; the
// first that fits fires.
func (in *Injector) Add(r Rule) *Handle {
	in.mu.Lock()
	defer in.mu.Unlock()
	a := &armed{Rule: r}
	a.From, a.Every = max(r.From, 1), max(r.Every, 1)
	in.rules = append(in.rules, a)
	return &Handle{in, a}
}

// Fired returns how often the rule has struck: a test that saw no fault proves nothing.
func (h *Handle) Fired() int {
	h.in.mu.Lock()
	defer h.in.mu.Unlock()
	return h.rule.fired
}

// Remove takes the rule out of force.
func (h *Handle) Remove() {
	h.in.mu.Lock()
	defer h.in.mu.Unlock()
	for i, a := range h.in.rules {
		if a == h.rule {
			h.in.rules = append(h.in.rules[:i:i], h.in.rules[i+1:]...)
			return
		}
	}
}

// Next returns the rule that this call meets, or nil. It has then already waited
// for the rule's Delay, and until ctx ended if the rule hangs.
func (in *Injector) Next(ctx context.Context, method string, req any) *Rule {
	r := in.find(method, req)
	if r == nil {
		return nil
	}
	if r.Hang {
		<-ctx.Done()
		return r
	}
	if r.Delay > 0 {
		t := time.NewTimer(r.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return r
}

func (in *Injector) find(method string, req any) *Rule {
	if in == nil {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.rules {
		if a.Method != method || a.Match != nil && !a.Match(req) {
			continue
		}
		a.seen++
		if a.seen < a.From || (a.seen-a.From)%a.Every != 0 || a.Times > 0 && a.fired >= a.Times {
			continue
		}
		a.fired++
		return &a.Rule
	}
	return nil
}
