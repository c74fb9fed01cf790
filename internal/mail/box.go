package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/gateway/console"
)

const (
	maxListed = 500
	viewEach  = 5        // messages of one request, of 10 MB at the most
	viewBytes = 16 << 20 // of one view
	viewTime  = 5 * time.Second
	viewers   = 2 // at once: what each holds is large
)

// Box is a project's subscriptions, as the console shows them.
type Box struct {
	Client  pubsubpb.SubscriberClient
	Project string
	looking chan struct{}
}

var _ console.Mail = (*Box)(nil)

// Open returns a box that looks through client.
func Open(client pubsubpb.SubscriberClient, project string) *Box {
	return &Box{client, project, make(chan struct{}, viewers)}
}

// Subscriptions are at most 500 of the project's, by their full names.
func (b *Box) Subscriptions(ctx context.Context) (names []string, err error) {
	ctx, cancel := context.WithTimeout(routed(ctx, "project", "projects/"+b.Project), viewTime)
	defer cancel()
	for token := ""; len(names) < maxListed; {
		list, err := b.Client.ListSubscriptions(ctx, &pubsubpb.ListSubscriptionsRequest{Project: "projects/" + b.Project, PageSize: maxListed, PageToken: token})
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", b.Project, err)
		}
		for _, s := range list.GetSubscriptions() {
			names = append(names, s.GetName())
		}
		if token = list.GetNextPageToken(); token == "" {
			break
		}
	}
	return names[:min(len(names), maxListed)], nil
}

// View looks at most messages that are there, in the order in which they came, and
// hands them back at once. Once it has begun it does not end with ctx.
func (b *Box) View(ctx context.Context, subscription string, most int) ([]console.Message, error) {
	select {
	case b.looking <- struct{}{}:
		defer func() { <-b.looking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	look := &Look{Client: b.Client, Subscription: subscription, Most: most, Wait: viewTime, Each: viewEach, Bytes: viewBytes}
	whole := context.WithoutCancel(ctx)
	pulled, err := look.Pull(whole)
	if err = errors.Join(err, look.Settle(whole, pulled, false)); err != nil {
		return nil, err
	}
	list := make([]console.Message, 0, len(pulled))
	for _, m := range pulled {
		list = append(list, console.Message{
			ID: m.GetMessage().GetMessageId(), Published: m.GetMessage().GetPublishTime().AsTime(),
			Attributes: m.GetMessage().GetAttributes(), Data: m.GetMessage().GetData(),
		})
	}
	return list, nil
}
