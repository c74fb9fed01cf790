package provision

import (
	"net/http"
	"net/url"
	"strings"

	"iotbridge/schema"
)

// operation is what a request asks for; a metric label.
type operation string

const (
	caCerts        operation = "cacerts"
	csrAttrs       operation = "csrattrs"
	simpleEnroll   operation = "simpleenroll"
	simpleReenroll operation = "simplereenroll"
	serverKeyGen   operation = "serverkeygen"
	jsonEnroll     operation = "enroll"
	jsonSelf       operation = "self"
	noOperation    operation = "none"
)

// policy says whose a path is.
type policy int

const (
	nobodys    policy = iota // of a route that says nothing: it serves nobody
	anyones                  // no certificate is asked for
	bootstraps               // the bootstrap certificate of the path's profile
	devices                  // a device's own
)

// route is a path, what is done there and for whom.
type route struct {
	operation operation
	method    string
	path      string // {profile} is a profile's id
	policy    policy
	body      string // type of the body; "": none is read
	serve     func(*Server, *call) (*answer, error)
}

const est = "/.well-known/est/{profile}/"

// routes are all that is served: what is not here is refused.
var routes = []route{
	{caCerts, http.MethodGet, est + "cacerts", anyones, "", (*Server).caCerts},
	{csrAttrs, http.MethodGet, est + "csrattrs", bootstraps, "", (*Server).csrAttrs},
	{simpleEnroll, http.MethodPost, est + "simpleenroll", bootstraps, typeRequest, (*Server).simpleEnroll},
	{simpleReenroll, http.MethodPost, est + "simplereenroll", devices, typeRequest, (*Server).simpleReenroll},
	{serverKeyGen, http.MethodPost, est + "serverkeygen", bootstraps, typeRequest, (*Server).serverKeyGen},
	{jsonEnroll, http.MethodPost, "/v1/provisioning/{profile}:enroll", bootstraps, typeJSON, (*Server).jsonEnroll},
	{jsonSelf, http.MethodGet, "/v1/provisioning/self", devices, "", (*Server).jsonSelf},
}

// place is a route as a request names it.
type place struct {
	route
	profile string
}

// find returns the route that a request names. Nothing is cleaned or redirected, and no
// escaped slash makes a segment.
func find(r *http.Request) (place, error) {
	if r.TLS != nil {
		for _, one := range routes {
			profile, ok := one.match(r.URL)
			switch {
			case ok && one.method != r.Method:
				return place{route{operation: noOperation, method: one.method}, ""}, &Refusal{Code: wrongMethod}
			case ok:
				return place{one, profile}, nil
			}
		}
	}
	return place{route: route{operation: noOperation}}, &Refusal{Code: notServed}
}

// match returns the path's profile, if the path is the route's and has one.
func (r *route) match(u *url.URL) (profile string, ok bool) {
	before, after, named := strings.Cut(r.path, "{profile}")
	path := u.EscapedPath()
	if !named {
		return "", path == r.path
	}
	if path, ok = strings.CutPrefix(path, before); !ok {
		return "", false
	}
	if path, ok = strings.CutSuffix(path, after); !ok {
		return "", false
	}
	profile, err := url.PathUnescape(path)
	return profile, err == nil && schema.ValidID(profile)
}
