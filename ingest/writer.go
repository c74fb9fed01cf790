package ingest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"iotbridge/schema"
)

// outageAfter is how many failed attempts in a row are an outage.
const outageAfter = 4

// writer brings batches into one table, and settles each of their messages.
type writer struct {
	place string // for the log and the holds: "table P.D.T"
	sink  Sink
	slots *slots
	holds *Holds
	log   *zap.Logger

	// confirmed is told of durable rows; convicted of rows that are at fault, and
	// returns false if it cannot take them; returned of what is still open at the end.
	confirmed func(*batch)
	convicted func(context.Context, *batch) bool
	returned  func(*batch)
	// instead takes a batch that the table does not take now; nil for none.
	instead func(context.Context, *batch) bool

	stopping <-chan struct{} // closed when no more is pulled: what is held is handed back
	group    sync.WaitGroup
	passed   atomic.Int64 // rows that the table took
	pool     sync.Pool
}

func (w *writer) newBatch() *batch {
	if b, ok := w.pool.Get().(*batch); ok {
		return b
	}
	return &batch{}
}

// start sends a batch for which a slot was taken; submit takes one first. When ctx
// ends, what is not settled is handed back.
func (w *writer) start(ctx context.Context, b *batch) { w.group.Go(func() { w.send(ctx, b) }) }

func (w *writer) submit(ctx context.Context, b *batch) {
	w.group.Go(func() {
		if w.take(ctx) {
			w.send(ctx, b)
		} else {
			w.returned(b)
		}
	})
}

func (w *writer) take(ctx context.Context) bool {
	select {
	case <-w.slots.free:
		return true
	case <-ctx.Done():
		return false
	}
}

// send settles every row of b. It is called with a slot, and gives it back.
func (w *writer) send(ctx context.Context, b *batch) {
	for n := 0; ; n++ {
		s := &suspects{named: true}
		w.store(ctx, b, s)
		w.slots.release()
		if !b.lent {
			b.reset()
			w.pool.Put(b)
		}
		if s.len() == 0 {
			return
		}
		held := w.doubt(ctx, s)
		if held == nil && w.convicted(ctx, &s.batch) {
			w.holds.Clear(w.place)
			return
		}
		if held == nil {
			held = &Held{Unproven, w.place + " refuses rows that nothing else takes: " + s.why}
		}
		w.hold(held)
		if !pause(w.stopping, n) || !w.take(ctx) {
			w.returned(&s.batch)
			return
		}
		b = &s.batch
	}
}

// suspects are the refused rows of one batch.
type suspects struct {
	batch
	named  bool   // each was refused by name
	spared bool   // the table took other rows of the batch
	why    string // the last refusal's words
}

func (s *suspects) add(b *batch, i int, detail string) {
	s.copyRow(b, i)
	s.why = detail
	if b.rejections == nil {
		s.rejections = append(s.rejections, &schema.Rejection{Reason: schema.RejectedByBigQuery, Detail: detail})
	}
}

// doubt says why the table or we, and not the rows, may be at fault; nil convicts.
func (w *writer) doubt(ctx context.Context, s *suspects) *Held {
	if s.spared {
		return nil
	}
	var held *Held
	if err := w.sink.Check(ctx); errors.As(err, &held) {
		return held
	} else if err != nil {
		return &Held{Unavailable, w.place + " refuses rows, and whether its schema fits is not known: " + err.Error()}
	}
	if !s.named && w.passed.Load() == 0 {
		return &Held{Unproven, w.place + " refuses rows without naming them, and has taken none that would show the fault to be theirs: " + s.why}
	}
	return nil
}

// store appends b until each row is durable, suspect or returned.
func (w *writer) store(ctx context.Context, b *batch, s *suspects) {
	for n := 0; b.len() > 0; n++ {
		err := w.sink.Append(ctx, b.slices())
		b.lent = b.lent || err != nil
		var rows *RowErrors
		var refused *Refused
		var held *Held
		switch {
		case err == nil:
			w.passed.Add(int64(b.len()))
			s.spared = true
			w.slots.succeeded()
			w.holds.Clear(w.place)
			w.confirmed(b)
			return
		case errors.As(err, &rows) && rows.within(b.len()):
			b = w.spare(b, rows, s)
			n = -1 // progress was made
			continue
		case errors.As(err, &rows), errors.As(err, &refused):
			if b.len() == 1 {
				s.named = false
				if refused == nil {
					refused = &Refused{"refused, naming another row than the one that was sent"}
				}
				s.add(b, 0, refused.Detail)
				return
			}
			middle := b.len() / 2
			w.store(ctx, b.part(0, middle), s)
			w.store(ctx, b.part(middle, b.len()), s)
			return
		case errors.As(err, &held):
		case ctx.Err() != nil:
		default:
			w.log.Warn("append is sent again", zap.String("place", w.place), zap.Int("rows", b.len()), zap.Error(err))
			if n+1 >= outageAfter {
				held = &Held{Unavailable, w.place + " does not answer, or not as it should: " + err.Error()}
			}
		}
		wait := ctx.Done()
		if held != nil {
			if w.instead != nil && w.instead(ctx, b) {
				w.log.Warn("the topic has what the table does not take", zap.String("place", w.place), zap.String("detail", held.Detail))
				w.holds.Clear(w.place)
				return
			}
			w.hold(held)
			wait = w.stopping
		}
		kept := held == nil || held.Cause != Quota || w.slots.throttled()
		again := pause(wait, n)
		if !kept {
			<-w.slots.free // soon: who has one either sends, or waits no longer than we did
		}
		if !again {
			w.returned(b)
			return
		}
	}
}

// spare moves the rows that were refused by name to the suspects and returns the rest.
func (w *writer) spare(b *batch, refused *RowErrors, s *suspects) *batch {
	bad := make(map[int]bool, len(refused.Rows))
	for _, r := range refused.Rows {
		if !bad[r.Index] {
			bad[r.Index] = true
			s.add(b, r.Index, r.Detail)
		}
	}
	rest := &batch{}
	for i := range b.len() {
		if !bad[i] {
			rest.copyRow(b, i)
		}
	}
	return rest
}

// within says whether the refusal names rows of a batch of n, and only those.
func (e *RowErrors) within(n int) bool {
	for _, r := range e.Rows {
		if r.Index < 0 || r.Index >= n {
			return false
		}
	}
	return len(e.Rows) > 0
}

func (w *writer) hold(h *Held) {
	if w.holds.Set(w.place, h) {
		return // as before
	}
	w.log.Error("data is held", zap.String("place", w.place), zap.String("cause", string(h.Cause)), zap.String("detail", h.Detail))
}
