package console

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/schema"
)

var messagePages = []page{
	{"GET /messages", "ConsoleMessages", (*Console).messages},
}

const (
	shownPreview = 4 << 10 // bytes of a body in a list
	viewUsual    = 10
)

// viewSizes are how many messages one looks at.
var viewSizes = []int{10, 25, 50}

// subscriptionName is one without its project.
var subscriptionName = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9._~+%]{2,254}$`)

// messagesView is what waits in a subscription.
type messagesView struct {
	Known    []string // subscriptions, by their full names
	Unlisted string   // why there are none to choose from
	Chosen   string
	Most     int
	Looked   bool
	Ready    bool // to look, once the form is sent
	Lines    []messageLine
	Fault    string
}

// Sizes are the choices.
func (*messagesView) Sizes() []int { return viewSizes }

// messageLine is one message.
type messageLine struct {
	Message
	Body       body
	Attributes [][2]string
	More       int
	Sender     string // its device's page
	Device     string
}

// messages looks into a subscription. It takes what is there for a moment, so it is done
// only when a page of the console asks, or somebody who has written the address: no other
// site has a viewer do it.
func (c *Console) messages(v *visit) error {
	form := v.URL.Query()
	view := &messagesView{Most: viewUsual, Chosen: strings.TrimSpace(form.Get("other"))}
	if view.Chosen == "" {
		view.Chosen = form.Get("subscription")
	}
	if text := form.Get("most"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > viewSizes[len(viewSizes)-1] {
			return v.fail(http.StatusBadRequest, "At most 50 messages are shown.")
		}
		view.Most = n
	}
	if c.Mail == nil {
		view.Unlisted = "The gateway was not told of a Pub/Sub to look at."
		return v.show(http.StatusOK, "messages", "Messages", view)
	}
	known, err := c.Mail.Subscriptions(v.Context())
	if view.Known = known; err != nil {
		view.Unlisted = mailFault(err, "list the subscriptions, which takes roles/pubsub.viewer on the project: write a name")
	}
	if view.Chosen == "" {
		return v.show(http.StatusOK, "messages", "Messages", view)
	}
	name, ok := c.subscription(view.Chosen)
	if !ok {
		return v.fail(http.StatusBadRequest, "Want a subscription of this project, by its name or as projects/"+c.Project+"/subscriptions/NAME.")
	}
	view.Chosen = name
	if site := v.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		view.Ready = true
		return v.show(http.StatusOK, "messages", "Messages", view)
	}
	list, err := c.Mail.View(v.Context(), name, view.Most)
	view.Looked = true
	if err != nil {
		view.Fault = mailFault(err, "look at it, which takes roles/pubsub.subscriber on the subscription")
	}
	for _, m := range list {
		line := messageLine{Message: m, Body: beginning(m.Data, shownPreview), Device: m.Attributes[schema.AttrDeviceID]}
		line.Attributes, line.More = attributes(m.Attributes)
		line.Sender = c.pageOf(m.Attributes, line.Device)
		view.Lines = append(view.Lines, line)
	}
	return v.show(http.StatusOK, "messages", "Messages", view)
}

// subscription is a full name. What the gateway may see in other projects is not for who
// may see this one.
func (c *Console) subscription(name string) (string, bool) {
	prefix := "projects/" + c.Project + "/subscriptions/"
	name = strings.TrimPrefix(name, prefix)
	return prefix + name, subscriptionName.MatchString(name)
}

// mailFault says what Pub/Sub said; may is what the gateway may not.
func mailFault(err error, may string) string {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return "The gateway may not " + may + "."
	case codes.NotFound:
		return "There is no such subscription."
	}
	return sentence("Pub/Sub does not answer: " + clip(err.Error(), shownWords))
}
