package pubsub

import (
	"context"
	"slices"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway"
)

const (
	permission = "pubsub.topics.publish"
	// quiet is how long nothing is published to a held topic before it is asked for.
	quiet = 10 * time.Second
)

func place(topic string) string { return "topic " + topic }

// hold says that a topic cannot be published to.
func (p *Publisher) hold(topic string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, already := p.held[topic]; !already {
		p.Log.Warn("the topic cannot be published to", zap.String("detail", verdict(topic, err)))
	}
	p.held[topic] = time.Now()
	p.Holds.Set(place(topic), gateway.CausePubSub, verdict(topic, err))
}

// works says that it can.
func (p *Publisher) works(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, held := p.held[topic]; held {
		delete(p.held, topic)
		p.Holds.Clear(place(topic))
		p.Log.Info("the topic is published to again", zap.String("topic", topic))
	}
}

// probe asks for the held topics that nobody publishes to, until ctx ends: being
// not ready may be why.
func (p *Publisher) probe(ctx context.Context) {
	tick := time.NewTicker(quiet / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, topic := range p.unpublished() {
			if p.Check(ctx, topic) == nil {
				p.works(topic)
			}
		}
	}
}

func (p *Publisher) unpublished() (topics []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, shown := range p.held {
		if time.Since(shown) > quiet {
			topics = append(topics, topic)
		}
	}
	return topics
}

// Check reports in an operator's words why a topic cannot be published to, without
// publishing; nil when it can, as far as the service tells. Conn is enough.
func (p *Publisher) Check(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, quiet/2)
	defer cancel()
	// Anyone may ask for his permissions; none are told of what does not exist.
	may, err := iampb.NewIAMPolicyClient(p.Conn).TestIamPermissions(route(ctx, "resource", topic),
		&iampb.TestIamPermissionsRequest{Resource: topic, Permissions: []string{permission}})
	switch {
	case err == nil && slices.Contains(may.Permissions, permission):
		return nil
	case err != nil && status.Code(err) != codes.Unimplemented: // as in emulators
		return unfit(verdict(topic, err))
	}
	_, missing := pubsubpb.NewPublisherClient(p.Conn).GetTopic(route(ctx, "topic", topic), &pubsubpb.GetTopicRequest{Topic: topic})
	switch {
	case missing != nil:
		return unfit(verdict(topic, missing))
	case err == nil:
		return unfit(verdict(topic, status.Error(codes.PermissionDenied, "")))
	}
	return nil
}

// unfit is why a topic cannot be published to.
type unfit string

func (u unfit) Error() string { return string(u) }

func verdict(topic string, err error) string {
	switch status.Code(err) {
	case codes.NotFound:
		return topic + " does not exist: create it, or correct the registry's topics"
	case codes.PermissionDenied:
		return "publishing to " + topic + " is denied: grant the gateway's account " + permission + " (roles/pubsub.publisher)"
	case codes.Unauthenticated:
		return "no valid credentials for " + topic + ": give the gateway an account that has " + permission + " (roles/pubsub.publisher)"
	}
	return topic + " cannot be published to: " + bounded(err).Error()
}
