package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type messagesCommand struct {
	Pull messagesPull `cmd:"" help:"Print messages of a subscription, body and attributes."`
}

type messagesPull struct {
	target       `embed:""`
	Subscription string        `required:"" placeholder:"S" help:"Its name, short or projects/P/subscriptions/S."`
	Ack          bool          `help:"Acknowledge what was printed, which takes it from the subscription. Else it is handed back at once."`
	JSON         bool          `name:"json" help:"Print one JSON object a line."`
	Max          int           `default:"10" help:"Messages at the most."`
	Wait         time.Duration `default:"5s" help:"How long to wait for messages."`
}

// Help is shown after the flags.
func (*messagesPull) Help() string {
	return `The local system has a subscription to look at for each topic, temperature-view and sensordata-view: what passes stays there for ten minutes. To pull from the worker's own takes its messages for a moment, and with --ack for good.`
}

// Validate is called by kong.
func (c *messagesPull) Validate() error {
	if c.Max < 1 || c.Wait <= 0 {
		return errors.New("--max is 1 at the least, and --wait more than 0")
	}
	return nil
}

// Run pulls, prints, and settles what it has printed.
func (c *messagesPull) Run(ctx context.Context, stdout io.Writer) error {
	s, err := c.site()
	if err != nil {
		return err
	}
	name := c.Subscription
	if !strings.Contains(name, "/") {
		name = "projects/" + s.Project + "/subscriptions/" + name
	}
	client, err := s.OpenPubSub(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	messages, err := c.pull(ctx, client, name)
	for _, m := range messages {
		if err == nil {
			err = c.print(stdout, m.Message)
		}
	}
	if err == nil && len(messages) == 0 {
		fmt.Fprintf(os.Stderr, "iotbridge: no message came within %v\n", c.Wait)
	}
	return errors.Join(err, c.settle(ctx, client, name, messages, err == nil))
}

// pull returns what it has also with an error: it must be settled. Once it has some
// it takes what else is there at once: a call that was given up while it waited could
// still be given what is about to be handed back.
func (c *messagesPull) pull(ctx context.Context, client *pubsub.Client, name string) (messages []*pubsubpb.ReceivedMessage, err error) {
	for len(messages) < c.Max {
		req := &pubsubpb.PullRequest{Subscription: name, MaxMessages: int32(min(c.Max-len(messages), 1000))}
		req.ReturnImmediately = len(messages) > 0 //nolint:staticcheck // deprecated for polling, which this is not
		got, err := pullOnce(ctx, c.Wait, client, req)
		if err != nil {
			return messages, fmt.Errorf("subscription %s: %w", name, err)
		}
		if len(got) == 0 {
			break
		}
		messages = append(messages, got...)
	}
	return messages, nil
}

// pullOnce returns nothing when nothing comes in time.
func pullOnce(ctx context.Context, wait time.Duration, client *pubsub.Client, req *pubsubpb.PullRequest) ([]*pubsubpb.ReceivedMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	got, err := client.SubscriptionAdminClient.Pull(ctx, req)
	if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
		err = nil
	}
	return got.GetReceivedMessages(), err
}

// settle acknowledges or hands back, also when ctx has ended.
func (c *messagesPull) settle(ctx context.Context, client *pubsub.Client, name string, messages []*pubsubpb.ReceivedMessage, printed bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for chunk := range slices.Chunk(messages, 500) {
		ids := make([]string, len(chunk))
		for i, m := range chunk {
			ids[i] = m.AckId
		}
		var err error
		if c.Ack && printed {
			err = client.SubscriptionAdminClient.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: name, AckIds: ids})
		} else {
			err = client.SubscriptionAdminClient.ModifyAckDeadline(ctx, &pubsubpb.ModifyAckDeadlineRequest{Subscription: name, AckIds: ids})
		}
		if err != nil {
			return fmt.Errorf("subscription %s: %w", name, err)
		}
	}
	return nil
}

func (c *messagesPull) print(out io.Writer, m *pubsubpb.PubsubMessage) error {
	if c.JSON {
		line := struct {
			ID          string            `json:"message_id"`
			PublishTime time.Time         `json:"publish_time"`
			Attributes  map[string]string `json:"attributes"`
			Text        *string           `json:"data,omitempty"`
			Bytes       []byte            `json:"data_base64,omitempty"` // what is no text
		}{ID: m.MessageId, PublishTime: m.PublishTime.AsTime(), Attributes: m.Attributes}
		if text := string(m.Data); utf8.ValidString(text) {
			line.Text = &text
		} else {
			line.Bytes = m.Data
		}
		return json.NewEncoder(out).Encode(line)
	}
	fmt.Fprintf(out, "message %s, published %s\n  %s\n", m.MessageId, m.PublishTime.AsTime().Format(time.RFC3339Nano), shown(string(m.Data)))
	for _, key := range slices.Sorted(maps.Keys(m.Attributes)) {
		fmt.Fprintf(out, "  %-24s %s\n", shown(key), shown(m.Attributes[key]))
	}
	_, err := fmt.Fprintln(out)
	return err
}
