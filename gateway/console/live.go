package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"iotbridge/gateway"
)

const (
	liveEvery = 2 * time.Second
	liveStill = 5 * time.Second  // until it is asked again whether the operator may
	liveWrite = 10 * time.Second // for a browser to take an event
	maxLive   = 200              // streams of a gateway at once
	maxOwn    = 50               // of them, of one operator
	liveKept  = 16               // events that a slow stream may be behind
)

// isLive says that a request is for a stream of events.
func isLive(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/live/") }

// event is one of a stream: the element of the page that it replaces, or the plot that
// it feeds, and with what.
type event struct{ name, data string }

// fragment makes the event that replaces the element of that id.
func fragment(id, template string, data any) (event, error) {
	var html bytes.Buffer
	if err := templates[""].ExecuteTemplate(&html, template, data); err != nil {
		return event{}, err
	}
	return event{id, html.String()}, nil
}

func (e event) write(w http.ResponseWriter) error {
	var out strings.Builder
	fmt.Fprintf(&out, "event: %s\n", e.name)
	for line := range strings.SplitSeq(strings.ReplaceAll(e.data, "\r", ""), "\n") {
		fmt.Fprintf(&out, "data: %s\n", line)
	}
	out.WriteByte('\n')
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(liveWrite)); err != nil {
		return err
	}
	if _, err := w.Write([]byte(out.String())); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

// hub has a topic for each page that somebody looks at.
type hub struct {
	mu     sync.Mutex
	topics map[string]*topic
	views  map[string]int // by operator
	all    int
	closed bool
	ended  sync.WaitGroup
}

// topic makes events while somebody listens.
type topic struct {
	stop      context.CancelFunc
	listeners map[chan event]bool
	last      map[string]event // by name: who comes later begins with these
}

// close ends all streams and waits for what made them.
func (h *hub) close() {
	h.mu.Lock()
	h.closed = true
	for _, t := range h.topics {
		t.stop()
		t.hangUp()
	}
	h.topics = nil
	h.mu.Unlock()
	h.ended.Wait()
}

func (t *topic) hangUp() {
	for ch := range t.listeners {
		close(ch)
	}
	t.listeners = nil
}

// listen joins a topic, and begins it for the first. produce is called every two seconds
// and returns what changed; gateway.ErrNotFound ends the topic, of another error those who
// listen are told that what they see is old.
func (h *hub) listen(name, who string, produce func(context.Context) ([]event, error)) (ch chan event, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.all >= maxLive || h.views[who] >= maxOwn {
		return nil, false
	}
	if h.views == nil {
		h.views = map[string]int{}
	}
	h.all++
	h.views[who]++
	ch = make(chan event, liveKept)
	t := h.topics[name]
	if t == nil {
		ctx, stop := context.WithCancel(context.Background())
		t = &topic{stop: stop, listeners: map[chan event]bool{}, last: map[string]event{}}
		if h.topics == nil {
			h.topics = map[string]*topic{}
		}
		h.topics[name] = t
		h.ended.Go(func() { h.tell(ctx, name, t, produce) })
	}
	for _, e := range t.last {
		select {
		case ch <- e:
		default: // there are not so many
		}
	}
	t.listeners[ch] = true
	return ch, true
}

// leave ends the topic with its last listener, also when that was hung up on before.
func (h *hub) leave(name, who string, ch chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all--
	if h.views[who]--; h.views[who] == 0 {
		delete(h.views, who)
	}
	t := h.topics[name]
	if t == nil {
		return
	}
	delete(t.listeners, ch)
	if len(t.listeners) == 0 {
		t.stop()
		delete(h.topics, name)
	}
}

// end hangs up on all who listen to what is not there any more.
func (h *hub) end(name string, t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.topics[name] == t {
		delete(h.topics, name)
	}
	t.stop()
	t.hangUp()
}

// What a stream tells of itself.
var (
	live = event{"link", "live"}
	late = event{"link", "late"} // what is shown is old
)

// tell makes events and gives them to all who listen, until ctx ends.
func (h *hub) tell(ctx context.Context, name string, t *topic, produce func(context.Context) ([]event, error)) {
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		once, cancel := context.WithTimeout(ctx, requestTime)
		events, err := produce(once)
		cancel()
		switch {
		case errors.Is(err, gateway.ErrNotFound):
			h.end(name, t)
			return
		case err != nil:
			h.give(t, []event{late})
		default:
			h.give(t, append(events, live))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (h *hub) give(t *topic, events []event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		if t.last[e.name] == e {
			continue // nothing new
		}
		t.last[e.name] = e
		for ch := range t.listeners {
			select {
			case ch <- e:
			default: // too slow: the browser comes again, and begins with the latest
				delete(t.listeners, ch)
				close(ch)
			}
		}
	}
}

// live answers with a topic's events until the browser has gone, the operator is none
// any more, or the gateway stops. The first comes at once.
func (v *visit) live(name string, produce func(context.Context) ([]event, error)) error {
	ch, ok := v.console.hub.listen(name, v.who.Name, func(ctx context.Context) (events []event, err error) {
		err = v.console.aside(func() (err error) {
			events, err = produce(ctx)
			return err
		})()
		return events, err
	})
	if !ok {
		return v.fail(http.StatusServiceUnavailable, "Too many look on. Load the page again for fresh figures.")
	}
	defer v.console.hub.leave(name, v.who.Name, ch)
	v.began = true
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.WriteHeader(http.StatusOK)
	answer := http.NewResponseController(v.w)
	if answer.SetReadDeadline(time.Time{}) != nil || answer.Flush() != nil {
		return nil // who has gone is no fault
	}
	still := time.NewTicker(liveStill)
	defer still.Stop()
	for {
		select {
		case <-v.Context().Done():
			return nil
		case e, open := <-ch:
			if !open || e.write(v.w) != nil {
				return nil
			}
		case <-still.C:
			who, _, err := v.console.who(v.Request, "ConsoleLive")
			if err != nil || !who.May(v.call.Role, v.call.Resource) {
				return nil // the page says why when it asks again
			}
			if (event{"still", "here"}).write(v.w) != nil {
				return nil
			}
		}
	}
}
