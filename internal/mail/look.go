package mail

import (
	"context"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const (
	settleTime = 10 * time.Second
	maxAckIDs  = 500 // of a request
	maxPull    = 1000
)

// Look takes messages out of a subscription for a moment.
type Look struct {
	Client       pubsubpb.SubscriberClient
	Subscription string        // projects/P/subscriptions/S
	Most         int           // messages
	Wait         time.Duration // for an answer
	Patient      bool          // waits as long for the first message, else takes what is there
	Each         int           // messages of one request; 0: as many as there may be
	Bytes        int           // of all bodies: who has so many asks for no more; 0: no bound
}

// Pull returns what it has also with an error: it must be settled. Once it has some it
// takes what else is there at once: a call that was given up while it waited could
// still be given what is about to be handed back.
func (l *Look) Pull(ctx context.Context) (messages []*pubsubpb.ReceivedMessage, err error) {
	const tries = 3 // that the service may be asked at once and say, wrongly, that there is nothing
	size, empty := 0, 0
	for len(messages) < l.Most && (l.Bytes == 0 || size < l.Bytes) {
		most := min(l.Most-len(messages), maxPull)
		if l.Each > 0 {
			most = min(most, l.Each)
		}
		got, err := l.once(ctx, most, !l.Patient || len(messages) > 0)
		if err != nil {
			return messages, fmt.Errorf("subscription %s: %w", l.Subscription, err)
		}
		if len(got) == 0 {
			if empty++; l.Patient || len(messages) > 0 || empty == tries {
				break
			}
		}
		for _, m := range got {
			size += len(m.GetMessage().GetData())
		}
		messages = append(messages, got...)
	}
	return messages, nil
}

// once returns nothing when nothing comes in time.
func (l *Look) once(ctx context.Context, most int, immediately bool) ([]*pubsubpb.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(routed(ctx, "subscription", l.Subscription), l.Wait)
	defer cancel()
	req := &pubsubpb.PullRequest{Subscription: l.Subscription, MaxMessages: int32(most)}
	req.ReturnImmediately = immediately //nolint:staticcheck // deprecated for polling, which this is not
	// What is too large for the client has been leased all the same.
	got, err := l.Client.Pull(ctx, req, grpc.MaxCallRecvMsgSize(math.MaxInt32))
	if l.Patient && (ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded) {
		err = nil
	}
	return got.GetReceivedMessages(), err
}

// routed names what a call is about, as the service wants it beside the request.
func routed(ctx context.Context, field, name string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "x-goog-request-params", field+"="+url.QueryEscape(name))
}

// Settle takes messages away or hands them back, also when ctx has ended.
func (l *Look) Settle(ctx context.Context, messages []*pubsubpb.ReceivedMessage, taken bool) error {
	ctx, cancel := context.WithTimeout(routed(context.WithoutCancel(ctx), "subscription", l.Subscription), settleTime)
	defer cancel()
	for chunk := range slices.Chunk(messages, maxAckIDs) {
		ids := make([]string, len(chunk))
		for i, m := range chunk {
			ids[i] = m.GetAckId()
		}
		var err error
		if taken {
			_, err = l.Client.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: l.Subscription, AckIds: ids})
		} else {
			_, err = l.Client.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: l.Subscription, AckIds: ids})
		}
		if err != nil {
			return fmt.Errorf("subscription %s: %w", l.Subscription, err)
		}
	}
	return nil
}
