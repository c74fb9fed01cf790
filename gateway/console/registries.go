package console

import (
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/iot/apiv1/iotpb"
)

var registryPages = []page{
	{"GET /devices", "ConsoleRegistries", (*Console).registries},
	{"POST /devices", "ConsoleCreateRegistry", (*Console).createRegistry},
}

var registryDeeds = map[string]string{"registry": "The registry is made."}

// registryList is all registries with their routes.
type registryList struct {
	Lines []registryRoutes
	Next  string // a page's token
}

type registryRoutes struct {
	registryLine
	It *iotpb.DeviceRegistry
}

func (c *Console) registries(v *visit) error {
	list, err := c.manager().ListDeviceRegistries(v.Context(), &iotpb.ListDeviceRegistriesRequest{Parent: c.parent(), PageSize: 100, PageToken: v.URL.Query().Get("token")})
	if err != nil {
		return err
	}
	tallies, err := c.tally(v.Context())
	if err != nil {
		return err
	}
	shown := registryList{Next: list.GetNextPageToken()}
	for _, r := range list.GetDeviceRegistries() {
		shown.Lines = append(shown.Lines, registryRoutes{registryLine{r.GetId(), tallies[r.GetId()]}, r})
	}
	return v.show(http.StatusOK, "registries", "Registries", shown)
}

// createRegistry takes routes as lines: a subfolder, = and a topic; a topic alone takes
// all that no other line does.
func (c *Console) createRegistry(v *visit) error {
	r := &iotpb.DeviceRegistry{
		Id:         strings.TrimSpace(v.form().Get("id")),
		MqttConfig: &iotpb.MqttConfig{MqttEnabledState: iotpb.MqttState_MQTT_DISABLED},
		HttpConfig: &iotpb.HttpConfig{HttpEnabledState: iotpb.HttpState_HTTP_DISABLED},
	}
	if v.form().Get("mqtt") != "" {
		r.MqttConfig.MqttEnabledState = iotpb.MqttState_MQTT_ENABLED
	}
	if v.form().Get("http") != "" {
		r.HttpConfig.HttpEnabledState = iotpb.HttpState_HTTP_ENABLED
	}
	var rest []*iotpb.EventNotificationConfig
	for line := range strings.FieldsFuncSeq(v.form().Get("routes"), func(r rune) bool { return r == '\n' || r == '\r' }) {
		folder, topic, routed := strings.Cut(strings.TrimSpace(line), "=")
		folder, topic = strings.TrimSpace(folder), strings.TrimSpace(topic)
		switch {
		case folder == "" && !routed:
		case folder == "" || routed && topic == "":
			return v.fail(http.StatusBadRequest, "A route is a subfolder, = and a topic, or a topic alone: "+clip(line, shownName)+" is neither.")
		case routed:
			r.EventNotificationConfigs = append(r.EventNotificationConfigs, &iotpb.EventNotificationConfig{SubfolderMatches: folder, PubsubTopicName: c.topic(topic)})
		default:
			rest = append(rest, &iotpb.EventNotificationConfig{PubsubTopicName: c.topic(folder)})
		}
	}
	r.EventNotificationConfigs = append(r.EventNotificationConfigs, rest...)
	if topic := strings.TrimSpace(v.form().Get("state")); topic != "" {
		r.StateNotificationConfig = &iotpb.StateNotificationConfig{PubsubTopicName: c.topic(topic)}
	}
	made, err := c.manager().CreateDeviceRegistry(v.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: c.parent(), DeviceRegistry: r})
	if err != nil {
		return err
	}
	return v.back("/registries/"+url.PathEscape(made.GetId())+"/devices", "registry")
}

// topic is a topic's full name; a short one is this project's.
func (c *Console) topic(name string) string {
	if name = strings.TrimSpace(name); strings.Contains(name, "/") {
		return name
	}
	return "projects/" + c.Project + "/topics/" + name
}
