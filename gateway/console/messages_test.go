package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/fault"
)

func (c *cloud) send(messages ...*pubsubpb.PubsubMessage) {
	c.Helper()
	if _, err := c.publish.Publish(c.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: messages}); err != nil {
		c.Fatal(err)
	}
}

// waiting is how many messages nobody has leased; it leases them.
func (c *cloud) waiting() int {
	c.Helper()
	got, err := c.pull.Pull(c.Context(), &pubsubpb.PullRequest{Subscription: worker, MaxMessages: 1000, ReturnImmediately: true})
	if err != nil {
		c.Fatal(err)
	}
	return len(got.GetReceivedMessages())
}

func TestMessagesAreShownAndStay(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	for i := range 12 {
		c.send(&pubsubpb.PubsubMessage{Data: fmt.Appendf(nil, "body %02d", i), Attributes: map[string]string{
			"deviceId": "boiler1", "deviceRegistryId": "plant7", "deviceRegistryLocation": "us-central1", "projectId": project, "colour": "red",
		}})
	}
	w := b.browse(viewer)
	if a := w.get("/messages"); a.status != http.StatusOK || !strings.Contains(a.text, "<option >"+worker+"</option>") || strings.Contains(a.text, "body 0") {
		t.Error(a.text)
	}
	// Which come first of those that were handed back before, nobody promises.
	for path, want := range map[string]int{"?subscription=" + worker: 10, "?other=worker": 10, "?subscription=nobody&other=worker&most=50": 12, "?subscription=worker&most=1": 1} {
		a := w.get("/messages" + path)
		if got := strings.Count(a.text, "<article"); a.status != http.StatusOK || got != want || !strings.Contains(a.text, `<a href="/registries/plant7/devices/boiler1">boiler1</a>`) || !strings.Contains(a.text, "colour") || strings.Count(a.text, "body 0")+strings.Count(a.text, "body 1") < want {
			t.Errorf("%s: %d, %d messages, want %d", path, a.status, got, want)
		}
	}
	if n := c.waiting(); n != 12 {
		t.Errorf("%d messages wait, want 12", n)
	}
	if a := w.get("/messages?subscription=worker"); !strings.Contains(a.text, "Nothing waits there now.") {
		t.Error(a.text)
	}
	if a := w.get("/messages?subscription=nobody"); a.status != http.StatusOK || !strings.Contains(a.text, "There is no such subscription.") {
		t.Error(a.status, a.text)
	}
	for _, query := range []string{"other=projects/other/subscriptions/worker", "other=a/b", "other=../x", "other=" + strings.Repeat("x", 300), "other=worker&most=51", "other=worker&most=0", "other=worker&most=x"} {
		if a := w.get("/messages?" + query); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	if a := b.browse(bound).get("/messages?subscription=worker"); a.status != http.StatusForbidden {
		t.Errorf("an operator of one registry: %d", a.status)
	}
	if a := newBed(t).browse(viewer).get("/messages?subscription=worker"); a.status != http.StatusOK || !strings.Contains(a.text, "was not told of a Pub/Sub") {
		t.Error(a.text)
	}
}

// R4: a link on another site takes no messages.
func TestR4_ALookIsAskedForHere(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	pulls := c.faults.Add(fault.Rule{Method: "Pull", Delay: 1})
	w := b.browse(admin)
	for site, want := range map[string]int{"cross-site": 0, "same-site": 0, "none": 3, "same-origin": 6} {
		before := pulls.Fired()
		a := w.send(http.MethodGet, "/messages?subscription=worker", nil, "Sec-Fetch-Site", site)
		if asked := strings.Contains(a.text, "Press Look"); a.status != http.StatusOK || asked != (want == 0) || (pulls.Fired() > before) != (want > 0) {
			t.Errorf("%s: %d, %d pulls", site, a.status, pulls.Fired()-before)
		}
	}
}

func TestWhatTheGatewayMayNotIsSaidInWords(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	for _, method := range []string{"Pull", "ListSubscriptions"} {
		c.faults.Add(fault.Rule{Method: method, Err: status.Error(codes.PermissionDenied, "no")})
	}
	a := b.browse(viewer).get("/messages?subscription=worker")
	if a.status != http.StatusOK || !strings.Contains(a.text, "roles/pubsub.subscriber") || !strings.Contains(a.text, "roles/pubsub.viewer") || strings.Contains(a.text, "Nothing waits") {
		t.Error(a.status, a.text)
	}
}

// R3: what a message has in it is text.
func TestR3_MessagesAreText(t *testing.T) {
	c := newCloud(t)
	b := newBed(t, c.wired)
	for _, evil := range append(hostile, "x"+strings.Repeat("é", 50_000), "\xff\x00") {
		m := &pubsubpb.PubsubMessage{Data: []byte(evil)}
		if evil = strings.ToValidUTF8(evil[:min(len(evil), 201)], ""); evil != "" {
			m.Attributes = map[string]string{"x" + evil: evil, "deviceId": evil, "deviceRegistryId": evil}
		}
		c.send(m)
	}
	w := b.browse(viewer)
	texts := []string{w.get("/messages?subscription=worker&most=50").text}
	if n := strings.Count(texts[0], "<article"); n != len(hostile)+2 || len(texts[0]) > 100_000 || !strings.Contains(texts[0], "95,906 of 100,001 bytes are not shown") || !strings.Contains(texts[0], "000000  ff 00") {
		t.Errorf("%d messages, %d bytes", n, len(texts[0]))
	}
	for _, evil := range hostile {
		texts = append(texts, w.get("/messages?subscription="+url.QueryEscape(evil)).text, w.get("/messages?most="+url.QueryEscape(evil)).text)
	}
	for i, text := range texts {
		for _, bad := range bads {
			if strings.Contains(text, bad) {
				t.Errorf("%d: %s", i, bad)
			}
		}
	}
}
