package httpbridge

import (
	"net/http"
	"net/url"
	"strings"

	"iotbridge/gateway"
)

// method is what a request asks for; a metric label.
type method string

const (
	publishEvent method = "publishEvent"
	setState     method = "setState"
	getConfig    method = "config"
	noMethod     method = "none"
)

// route takes a path apart. A path is split before it is unescaped, so that no
// escaped slash makes a segment, and nothing is cleaned or redirected. The method is
// noMethod for a path, or an HTTP method, that is not served; device names what stands
// in the device's place, whether or not that is in the grammar.
func route(httpMethod string, u *url.URL) (m method, device gateway.DeviceKey) {
	path, ok := strings.CutPrefix(u.EscapedPath(), "/v1/")
	if !ok {
		return noMethod, device
	}
	parts := strings.SplitN(path, "/", 10)
	for i, p := range parts {
		if parts[i], ok = unescape(p); !ok {
			return noMethod, device
		}
	}
	switch {
	case len(parts) == 8 && httpMethod == http.MethodPost:
		name, verb, _ := strings.Cut(parts[7], ":")
		parts[7], m = name, method(verb)
		if m != publishEvent && m != setState {
			return noMethod, device
		}
	case len(parts) == 9 && httpMethod == http.MethodGet && parts[8] == "config":
		m = getConfig
	default:
		return noMethod, device
	}
	if parts[0] != "projects" || parts[2] != "locations" || parts[4] != "registries" || parts[6] != "devices" {
		return noMethod, device
	}
	return m, gateway.DeviceKey{RegistryKey: gateway.RegistryKey{Project: parts[1], Location: parts[3], Registry: parts[5]}, Device: parts[7]}
}

// provisions says whether the path is one of provisioning's.
func provisions(u *url.URL) bool {
	path := u.EscapedPath()
	return strings.HasPrefix(path, "/.well-known/est/") || strings.HasPrefix(path, "/v1/provisioning/")
}

func unescape(segment string) (string, bool) {
	s, err := url.PathUnescape(segment)
	return s, err == nil
}

// token is the bearer's; nil when there is none, or more than one header that could
// hold it.
func token(h http.Header) []byte {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	return []byte(strings.TrimLeft(token, " "))
}
