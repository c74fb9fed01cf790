// Package conformance is one suite for everything that says it is Pub/Sub: ours,
// Google's emulator and Google Cloud. It talks through the stock clients alone, and
// waits for what must come, never for time to pass.
package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
)

// Oracle names who answers.
type Oracle string

// The oracles.
const (
	Local    Oracle = "localcloud"
	Emulator Oracle = "Google's emulator"
	Google   Oracle = "Google Cloud"
)

// Harness is what the suite needs of an oracle.
type Harness struct {
	Oracle  Oracle
	Project string
	Options []option.ClientOption // how the clients reach it
	// Reopen ends the service and starts it again on the same
	// data; it returns how to reach it then. Nil: it cannot.
	Reopen func(testing.TB) []option.ClientOption
}

// exceptions is where an oracle is known to differ from the service, and how: the
// test, or the one case of it, is left out.
var exceptions = map[Oracle]map[string]string{
	Emulator: { // version 0.8.20
		"RetryPolicy":                               "gives what was handed back to the next Pull at once",
		"StreamFlowControl":                         "sends past max_outstanding_messages",
		"StreamFlowControlBytes":                    "sends past max_outstanding_bytes",
		"Permissions":                               "does not serve IAM",
		"StreamPing":                                "does not answer the pings of protocol version 1",
		"PublishLimits/10.1 MB":                     "takes more than 10 MB",
		"PublishLimits/101 attributes":              "does not count attributes",
		"PublishLimits/key of 257":                  "does not measure attributes",
		"PublishLimits/value of 1025":               "does not measure attributes",
		"InvalidArguments/a deadline of 9 s":        "takes deadlines below 10 s",
		"InvalidArguments/a stream's second credit": "ignores it",
	},
	Google: {
		"DeadLetter": "its service account has to be granted the dead-letter topic first",
	},
}

// excepted says, aloud, that one case is left out.
func (w *world) excepted(t *testing.T, name string) bool {
	t.Helper()
	reason := exceptions[w.Oracle][name]
	if reason != "" {
		t.Logf("exception for %s: %s: it %s", w.Oracle, name, reason)
	}
	return reason != ""
}

var suite = []struct {
	name string
	run  func(*testing.T, *world)
}{
	{"PublishPullAck", publishPullAck},
	{"FanOut", fanOut},
	{"StockClient", stockClient},
	{"RedeliveryAfterDeadline", redeliveryAfterDeadline},
	{"HandedBackAtOnce", handedBackAtOnce},
	{"RetryPolicy", retryPolicy},
	{"DeliveryAttempt", deliveryAttempt},
	{"DeadLetter", deadLetter},
	{"OrderingKeys", orderingKeys},
	{"ExactlyOnce", exactlyOnce},
	{"ExactlyOnceStockClient", exactlyOnceStockClient},
	{"StreamManyPerResponse", streamManyPerResponse},
	{"StreamFlowControl", streamFlowControl},
	{"StreamFlowControlBytes", streamFlowControlBytes},
	{"StreamAck", streamAck},
	{"StreamNack", streamNack},
	{"StreamPing", streamPing},
	{"StreamEndsWithSubscription", streamEndsWithSubscription},
	{"SeekBack", seekBack},
	{"SeekForward", seekForward},
	{"TopicDeleted", topicDeleted},
	{"Update", updateSubscription},
	{"Listing", listing},
	{"Permissions", permissions},
	{"NotFound", notFound},
	{"AlreadyExists", alreadyExists},
	{"PublishLimits", publishLimits},
	{"InvalidArguments", invalidArguments},
	{"Durability", durability},
}

// Run holds an oracle to the suite.
func Run(t *testing.T, h Harness) {
	for _, test := range suite {
		t.Run(test.name, func(t *testing.T) {
			if reason := exceptions[h.Oracle][test.name]; reason != "" {
				t.Skipf("exception: %s %s", h.Oracle, reason)
			}
			test.run(t, newWorld(t, h))
		})
	}
}

// world is one test's topic and subscription, and clients.
type world struct {
	Harness
	client *pubsub.Client
	prefix string
	topic  string
	sub    string
}

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

func newWorld(t *testing.T, h Harness) *world {
	// A second of the clock and the test's name: unique enough on one project.
	w := &world{Harness: h, prefix: fmt.Sprintf("it-%s-%d", strings.ToLower(t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]), time.Now().UnixNano())}
	w.topic, w.sub = w.topicName("t"), w.subName("s")
	w.connect(t)
	return w
}

func (w *world) connect(t *testing.T) {
	t.Helper()
	client, err := pubsub.NewClient(t.Context(), w.Project, w.Options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	w.client = client
}

func (w *world) topicName(id string) string {
	return fmt.Sprintf("projects/%s/topics/%s-%s", w.Project, w.prefix, id)
}

func (w *world) subName(id string) string {
	return fmt.Sprintf("projects/%s/subscriptions/%s-%s", w.Project, w.prefix, id)
}

// within is a context that ends with the test or with our patience.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func (w *world) createTopic(t *testing.T, topic *pubsubpb.Topic) {
	t.Helper()
	if _, err := w.client.TopicAdminClient.CreateTopic(within(t), topic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // absent already, or the service's to expire
		_ = w.client.TopicAdminClient.DeleteTopic(context.WithoutCancel(t.Context()), &pubsubpb.DeleteTopicRequest{Topic: topic.Name})
	})
}

func (w *world) createSub(t *testing.T, sub *pubsubpb.Subscription) {
	t.Helper()
	if _, err := w.client.SubscriptionAdminClient.CreateSubscription(within(t), sub); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.client.SubscriptionAdminClient.DeleteSubscription(context.WithoutCancel(t.Context()), &pubsubpb.DeleteSubscriptionRequest{Subscription: sub.Name})
	})
}

// create makes the world's topic and subscription.
func (w *world) create(t *testing.T, change ...func(*pubsubpb.Subscription)) {
	t.Helper()
	w.createTopic(t, &pubsubpb.Topic{Name: w.topic})
	sub := &pubsubpb.Subscription{Name: w.sub, Topic: w.topic}
	for _, f := range change {
		f(sub)
	}
	w.createSub(t, sub)
}
