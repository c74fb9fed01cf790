package demo

import (
	"context"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/googleapis/gax-go/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/schema"
)

// confirmTimeout is how long a device waits for the confirmation of one message.
const confirmTimeout = 10 * time.Second

// again is how long it waits, at the least, before it sends that message again.
const again = 100 * time.Millisecond

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
	var group errgroup.Group
	for device := range p.Fleet.Size() {
		group.Go(func() error {
			p.device(ctx, device)
			return nil
		})
	}
	return group.Wait()
}

// device sends its next message when the one before is confirmed, and the same one
// again when it is not.
func (p *Publisher) device(ctx context.Context, device int) {
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
		id, err := p.publish(ctx, &m)
		if err != nil {
			p.Log.Warn("not published, it is sent again", zap.String("topic", m.Topic), zap.Error(err))
			next.Reset(max(p.Interval, again))
			continue
		}
		p.Books.Enter(id, &m)
		n++
		next.Reset(p.Interval - min(time.Since(start), p.Interval))
	}
}

// publish waits for the confirmation also when ctx has ended: the message may have
// arrived. It tries once, as a second message would have another id.
func (p *Publisher) publish(ctx context.Context, m *Message) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	answer, err := p.Client.TopicAdminClient.Publish(ctx, &pubsubpb.PublishRequest{
		Topic:    "projects/" + p.Fleet.Project + "/topics/" + m.Topic,
		Messages: []*pubsubpb.PubsubMessage{{Attributes: m.Attributes, Data: m.Data}},
	}, gax.WithRetry(func() gax.Retryer { return nil }))
	if err != nil {
		return "", err
	}
	return answer.GetMessageIds()[0], nil
}
