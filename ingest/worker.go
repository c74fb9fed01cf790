package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/schema"
)

// Route is one way through the worker.
type Route struct {
	Subscription string // as the quarantine's rows name it
	Table        string // P.D.T, as log, metrics and holds name it
	Source       Source
	Gate         Gate
	Sink         Sink

	QuarantineTable string
	Quarantine      Sink
	QuarantinePlan  *schema.Plan
	Topic           Topic // takes what the quarantine does not; nil: it is held
}

// Worker moves the messages of its routes. The zero values of the settings below
// Routes are the defaults.
type Worker struct {
	Routes []Route

	Name      string        // in the quarantine's rows; "": none
	Limits    Limits        // of a batch; default 2,500 rows, 4 MiB, 20 ms
	InFlight  int           // appends under way to one table; default 8
	Grace     time.Duration // from the end of Run's context to its return; default 25 s
	Drain     bool          // return when no message has come for DrainIdle
	DrainIdle time.Duration // default 10 s
	DryRun    bool          // judge and count, write nothing and hand every message back

	Metrics *Metrics
	Holds   *Holds
	Log     *zap.Logger
}

// MaxBatchBytes bounds the rows of one append: the service takes 10 MiB with
// what goes around them.
const MaxBatchBytes = 9 << 20

// MaxRowBytes bounds a row that is appended alone, with little around it: Pub/Sub's
// largest message fits.
const MaxRowBytes = 10<<20 - 128<<10

// Run works until ctx ends, or with Drain until nothing more comes. Then it pulls
// no more, settles what it holds, hands back what it cannot settle within Grace,
// and returns nil.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.defaults(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	end := context.AfterFunc(ctx, func() {
		// The last fifth is for handing back.
		timer := time.AfterFunc(w.Grace*4/5, abandon)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	defer end()

	activity := newActivity(w.DrainIdle)
	var group errgroup.Group
	for i := range w.Routes {
		group.Go(func() error {
			defer stop() // one route that cannot go on ends them all
			return w.route(ctx, work, &w.Routes[i], activity)
		})
	}
	if w.Drain {
		group.Go(func() error {
			activity.wait(ctx, w.idle)
			stop()
			return nil
		})
	}
	return group.Wait()
}

func (w *Worker) defaults() error {
	if len(w.Routes) == 0 {
		return errors.New("worker: no route")
	}
	for _, r := range w.Routes {
		if r.Source == nil || r.Sink == nil || r.Quarantine == nil || r.Gate.Plan == nil || r.QuarantinePlan == nil {
			return fmt.Errorf("worker: route %s: source, sink, quarantine and plans are required", r.Subscription)
		}
	}
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&w.Limits.Rows, 2500)
	def(&w.Limits.Bytes, 4<<20)
	def(&w.InFlight, 8)
	w.Limits.Bytes = min(w.Limits.Bytes, MaxBatchBytes)
	for v, d := range map[*time.Duration]time.Duration{&w.Limits.Age: 20 * time.Millisecond, &w.Grace: 25 * time.Second, &w.DrainIdle: 10 * time.Second} {
		if *v <= 0 {
			*v = d
		}
	}
	if w.Metrics == nil {
		w.Metrics = NewMetrics(nil)
	}
	if w.Holds == nil {
		w.Holds = &Holds{}
	}
	if w.Log == nil {
		w.Log = zap.NewNop()
	}
	return nil
}

// route is one route from its first delivery to its last settlement.
func (w *Worker) route(ctx, work context.Context, r *Route, activity *activity) error {
	settle := settler{w, r}
	bad := w.writer(ctx.Done(), r.QuarantineTable, r.Quarantine)
	good := w.writer(ctx.Done(), r.Table, r.Sink)
	q := &quarantine{plan: r.QuarantinePlan, claims: r.Gate.Plan, subscription: r.Subscription, worker: w.Name, maxRow: MaxRowBytes}
	good.confirmed, good.returned = settle.stored, settle.returned
	good.convicted = func(ctx context.Context, b *batch) bool {
		q.convict(ctx, bad, b, time.Now().UnixMicro())
		return true
	}
	bad.confirmed, bad.returned = settle.quarantined, settle.returned
	bad.convicted = func(context.Context, *batch) bool { return false }
	if r.Topic != nil {
		bad.instead = func(ctx context.Context, b *batch) bool {
			if err := publish(ctx, r.Topic, b); err != nil {
				w.Log.Error("quarantine topic", zap.Error(err))
				return false
			}
			settle.quarantined(b)
			return true
		}
		bad.convicted = bad.instead
	}
	l := &lane{judge: r.Gate.judge(), quarantine: q, good: newBucket(good, w.Limits), bad: newBucket(bad, w.Limits)}
	if w.DryRun {
		l.dry = &dryRun{}
	}

	in := make(chan Delivery)
	pulled := make(chan error, 1)
	go func() {
		defer close(in)
		pulled <- r.Source.Pull(ctx, func(d Delivery) {
			activity.saw()
			in <- d
		})
	}()
	l.run(work, in)
	good.group.Wait() // before bad: it convicts into it
	bad.group.Wait()
	if l.dry != nil {
		l.dry.end(settle, r, w.Log)
	}
	err := <-pulled
	// What is left of the grace period; at the least enough to ask once.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(w.Grace/5, time.Second))
	defer cancel()
	if cerr := r.Source.Close(closing); cerr != nil {
		w.Log.Warn("not every settlement was sent, the messages come again", zap.String("subscription", r.Subscription), zap.Error(cerr))
	}
	return err
}

func (w *Worker) writer(stopping <-chan struct{}, table string, sink Sink) *writer {
	return &writer{place: "table " + table, sink: sink, slots: newSlots(w.InFlight), holds: w.Holds, log: w.Log, stopping: stopping}
}

// idle says whether a drain may end: nothing is held back by a fault.
func (w *Worker) idle() bool { return len(w.Holds.Reasons()) == 0 }
