package demo

import (
	"context"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/schema"
)

// confirmTimeout is how long a device waits for the confirmation of one message.
const confirmTimeout = 10 * time.Second

// Publisher publishes what a fleet sends.
type Publisher struct {
	Fleet    *Fleet
	Keys     *schema.Keyring // signs as the gateway does
	Client   *pubsub.Client
	Interval time.Duration // between a device's messages
	Books    *Books
	Log      *zap.Logger
}

// Run publishes until ctx ends. When it returns, nothing is under way: each message
// that was confirmed is in the books.
func (p *Publisher) Run(ctx context.Context) error {
	topics := map[string]*pubsub.Publisher{}
	for _, name := range []string{TopicTemperature, TopicSensordata} {
		topic := p.Client.Publisher(name)
		topic.PublishSettings.DelayThreshold = 5 * time.Millisecond
		topic.PublishSettings.Timeout = confirmTimeout
		defer topic.Stop()
		topics[name] = topic
	}
	var group errgroup.Group
	for device := range p.Fleet.Size() {
		group.Go(func() error {
			p.device(ctx, topics, device)
			return nil
		})
	}
	return group.Wait()
}

// device sends its next message when the one before is confirmed, and the same one
// again when it is not.
func (p *Publisher) device(ctx context.Context, topics map[string]*pubsub.Publisher, device int) {
	// Not all at once.
	next := time.NewTimer(p.Interval * time.Duration(device) / time.Duration(p.Fleet.Size()))
	defer next.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		start := time.Now()
		m := p.Fleet.Message(device, n, start)
		m.Sign(p.Keys)
		if id, err := publish(ctx, topics[m.Topic], &m); err != nil {
			p.Log.Warn("not published, it is sent again", zap.String("topic", m.Topic), zap.Error(err))
		} else {
			p.Books.Enter(id, &m)
			n++
		}
		next.Reset(p.Interval - min(time.Since(start), p.Interval))
	}
}

// publish waits for the confirmation also when ctx has ended: the message may have
// arrived.
func publish(ctx context.Context, topic *pubsub.Publisher, m *Message) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	return topic.Publish(ctx, &pubsub.Message{Attributes: m.Attributes, Data: m.Data}).Get(ctx)
}
