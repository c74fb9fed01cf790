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

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"iotbridge/gateway/pubsub"
	"iotbridge/internal/mail"
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
	conn, err := pubsub.Dial(ctx, s.PubSub)
	if err != nil {
		return err
	}
	defer conn.Close()
	look := &mail.Look{Client: pubsubpb.NewSubscriberClient(conn), Subscription: name, Most: c.Max, Wait: c.Wait, Patient: true}
	messages, err := look.Pull(ctx)
	for _, m := range messages {
		if err == nil {
			err = c.print(stdout, m.Message)
		}
	}
	if err == nil && len(messages) == 0 {
		fmt.Fprintf(os.Stderr, "iotbridge: no message came within %v\n", c.Wait)
	}
	return errors.Join(err, look.Settle(ctx, messages, c.Ack && err == nil))
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
