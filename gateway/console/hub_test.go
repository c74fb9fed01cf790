package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iotbridge/gateway"
)

// A listener that was too slow is hung up on; what made its events ends with it.
func TestATopicEndsWithItsLastListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		defer h.close()
		made := 0
		ch, ok := h.listen("x", "ada", func(context.Context) (events []event, err error) {
			made++
			for i := range 2 * liveKept {
				events = append(events, event{"e", fmt.Sprint(made, i)})
			}
			return events, nil
		})
		if !ok {
			t.Fatal("no stream")
		}
		synctest.Wait()
		for range ch { // it ends, though the hub goes on
		}
		h.leave("x", "ada", ch)
		before := made
		<-time.After(10 * liveEvery)
		if made != before || len(h.topics) != 0 || len(h.views) != 0 || h.all != 0 {
			t.Errorf("events are made for nobody: %d, %+v", made-before, h.topics)
		}
	})
}

// What is not there any more has no stream; of another fault those who listen are told.
func TestAStreamSaysThatItIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		defer h.close()
		answers := []error{nil, errors.New("the store hangs"), nil, fmt.Errorf("device 1: %w", gateway.ErrNotFound)}
		ch, _ := h.listen("x", "ada", func(context.Context) ([]event, error) {
			err := answers[0]
			answers = answers[1:]
			return nil, err
		})
		defer h.leave("x", "ada", ch)
		var told []string
		for e := range ch {
			told = append(told, e.name+" "+e.data)
		}
		if got := strings.Join(told, ", "); got != "link live, link late, link live" {
			t.Error(got)
		}
		if again, ok := h.listen("x", "ada", func(context.Context) ([]event, error) { return nil, nil }); !ok {
			t.Error("it cannot begin anew")
		} else {
			h.leave("x", "ada", again)
		}
	})
}

// One operator's streams leave room for the others'.
func TestStreamsAreBoundedByOperator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		defer h.close()
		nothing := func(context.Context) ([]event, error) { return nil, nil }
		open := 0
		for i := range maxLive * 2 {
			if ch, ok := h.listen("x", "vera", nothing); ok {
				open++
				defer h.leave("x", "vera", ch)
			} else if i < maxOwn {
				t.Fatalf("the stream %d is refused", i)
			}
		}
		ch, ok := h.listen("x", "ada", nothing)
		if open != maxOwn || !ok {
			t.Errorf("%d streams of vera's, one of ada's: %v", open, ok)
		}
		h.leave("x", "ada", ch)
	})
}

func TestWhatIsNoNumberIsNotDrawn(t *testing.T) {
	at := time.Unix(1, 0)
	if p := drawn("x", "", "", []Reading{{at, math.NaN()}, {at, 1}, {at, math.Inf(1)}}); p.Points != "[[1],[1]]" {
		t.Error(p.Points)
	}
}
