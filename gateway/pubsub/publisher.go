package pubsub

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"iotbridge/gateway"
)

// What a zero field of Publisher means.
const (
	defaultMessages = 50_000
	defaultBytes    = 64 << 20
	defaultGiveUp   = 30 * time.Second
	defaultGrace    = 10 * time.Second
)

var errStopped = errors.New("the gateway stops")

// Publisher is a gateway.Publisher over one connection. Run sends what Publish
// gathers.
type Publisher struct {
	Conn    grpc.ClientConnInterface
	Holds   *gateway.Holds // nil: none
	Metrics *Metrics       // nil: none
	Log     *zap.Logger    // nil discards

	MaxMessages, MaxBytes int           // outstanding; 0: 50,000 and 64 MiB
	GiveUp                time.Duration // how long a message is tried; 0: 30 s
	Grace                 time.Duration // for what is outstanding when Run's context ends; 0: 10 s

	once sync.Once
	wake chan struct{} // the first message after a rest

	mu              sync.Mutex
	lanes           map[string]*lane // topics with something outstanding
	messages, bytes int              // outstanding
	stopped         bool
	held            map[string]time.Time // topics that are held, and when that last showed
}

func (p *Publisher) init() {
	p.once.Do(func() {
		orInt := func(n *int, otherwise int) {
			if *n == 0 {
				*n = otherwise
			}
		}
		orInt(&p.MaxMessages, defaultMessages)
		orInt(&p.MaxBytes, defaultBytes)
		if p.GiveUp == 0 {
			p.GiveUp = defaultGiveUp
		}
		if p.Grace == 0 {
			p.Grace = defaultGrace
		}
		if p.Metrics == nil {
			p.Metrics = NewMetrics(nil)
		}
		if p.Log == nil {
			p.Log = zap.NewNop()
		}
		p.wake = make(chan struct{}, 1)
		p.lanes = map[string]*lane{}
		p.held = map[string]time.Time{}
	})
}

// Publish is gateway.Publisher's.
func (p *Publisher) Publish(topic string, attributes []gateway.Attribute, data []byte, done func(error)) {
	p.init()
	if err := p.gather(topic, attributes, data, done); err != nil {
		p.Metrics.Messages.WithLabelValues("refused").Inc()
		done(err)
	}
}

func (p *Publisher) gather(topic string, attributes []gateway.Attribute, data []byte, done func(error)) error {
	size := messageSize(attributes, data)
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[topic]
	switch {
	case p.stopped:
		return errStopped
	case p.messages >= p.MaxMessages, p.bytes+size > p.MaxBytes:
		return gateway.ErrBusy
	case l == nil:
		l = &lane{publisher: p, topic: topic}
		p.lanes[topic] = l
	case l.messages >= p.MaxMessages/2, l.bytes+size > p.MaxBytes/2:
		return gateway.ErrBusy
	}
	if p.messages == 0 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	l.book(1, size)
	l.add(size, attributes, data, done)
	return nil
}

// Run sends until ctx ends, which is to be after all who publish have ended. Publish
// then refuses; what is outstanding is still sent, for as long as Grace, and each
// done has been called when Run returns.
func (p *Publisher) Run(ctx context.Context) error {
	p.init()
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var g errgroup.Group
	g.Go(func() error { p.probe(ctx); return nil })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for stopping := ctx.Done(); ; {
		ready, idle := p.take()
		for _, b := range ready {
			g.Go(func() error { p.send(sending, b); return nil })
		}
		if idle && stopping == nil {
			return g.Wait()
		}
		next := tick.C
		if idle {
			next = nil
		}
		select {
		case <-next:
		case <-p.wake:
		case <-stopping:
			stopping = nil
			p.refuse()
			defer time.AfterFunc(p.Grace, cut).Stop()
		}
	}
}

// take returns the batches that have a slot; idle says that nothing is outstanding.
func (p *Publisher) take() (ready []*batch, idle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		ready = l.take(ready)
	}
	return ready, len(p.lanes) == 0
}

func (p *Publisher) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// settle gives the room of a batch back and tells its senders.
func (p *Publisher) settle(b *batch, err error) {
	p.mu.Lock()
	b.lane.settled(b)
	p.mu.Unlock()
	p.Metrics.Messages.WithLabelValues(result(err)).Add(float64(len(b.done)))
	for _, done := range b.done {
		done(err)
	}
}

// Outstanding returns what was published and is not answered.
func (p *Publisher) Outstanding() (messages, bytes int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.messages, p.bytes
}

var _ gateway.Publisher = (*Publisher)(nil)
