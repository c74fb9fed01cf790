package office

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

const (
	maxDocument = 1 << 20 // of a body of JSON, in bytes
	maxUpload   = 256 << 20
	uploadTime  = 30 * time.Minute
	idleTime    = 30 * time.Second // between two bytes of an upload
)

// API serves operators over REST, below /v1/provisioning/. It is to be guarded:
// Call says what a request takes, and Answer is for who may, on behalf of
// operators.From. A request that is in no route takes a role that nobody has.
//
// An operator of one of the location's registries only is not let in.
type API struct{ Place }

// route is one thing that can be asked for. Its path begins after
// /v1/provisioning/; * is any one segment, and an argument.
type route struct {
	method, path, verb string
	call               string // a metric's label
	role               operators.Role
	answer             func(*API, http.ResponseWriter, *http.Request, []string) error
}

// Root is what all its paths begin with.
const Root = "/v1/provisioning/"

// routes is the routes and the policy in one: a route without a role is nobody's.
var routes = []route{
	{http.MethodGet, "profiles", "", "ListProfiles", operators.Viewer, (*API).listProfiles},
	{http.MethodGet, "profiles/*", "", "GetProfile", operators.Viewer, (*API).describeProfile},
	{http.MethodPut, "profiles/*", "", "PutProfile", operators.Admin, (*API).putProfile},
	{http.MethodDelete, "profiles/*", "", "DeleteProfile", operators.Admin, (*API).deleteProfile},
	{http.MethodPost, "profiles/*", "enable", "EnableProfile", operators.Admin, (*API).enableProfile},
	{http.MethodPost, "profiles/*", "disable", "DisableProfile", operators.Admin, (*API).disableProfile},
	{http.MethodPost, "profiles/*/bootstrap/*", "revoke", "RevokeBootstrap", operators.Admin, (*API).revokeBootstrap},
	{http.MethodPost, "profiles/*/bootstrap/*", "restore", "RestoreBootstrap", operators.Admin, (*API).restoreBootstrap},

	{http.MethodGet, "profiles/*/lists/*", "", "ListEntries", operators.Viewer, (*API).listEntries},
	{http.MethodPost, "profiles/*/lists/*", "", "AddEntries", operators.Admin, (*API).addEntries},
	{http.MethodPost, "profiles/*/lists/*", "remove", "RemoveEntries", operators.Admin, (*API).removeEntries},
	{http.MethodDelete, "profiles/*/lists/*/*", "", "RemoveEntry", operators.Admin, (*API).removeEntry},

	{http.MethodGet, "profiles/*/claims", "", "ListClaims", operators.Viewer, (*API).listClaims},
	{http.MethodGet, "profiles/*/claims/*", "", "GetClaim", operators.Viewer, (*API).describeClaim},
	{http.MethodPost, "profiles/*/claims/*", "approve", "ApproveClaim", operators.Admin, (*API).approveClaim},
	{http.MethodPost, "profiles/*/claims/*", "deny", "DenyClaim", operators.Admin, (*API).denyClaim},
	{http.MethodPost, "profiles/*/claims/*", "reset", "ResetClaim", operators.Admin, (*API).resetClaim},
}

// find returns a request's route, and the arguments in its path; nil when there
// is none.
func find(r *http.Request) (*route, []string) {
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), Root)
	if !ok {
		return nil, nil
	}
	verb := ""
	if at := strings.LastIndexByte(path, ':'); r.Method == http.MethodPost && at > strings.LastIndexByte(path, '/') {
		path, verb = path[:at], path[at+1:]
	}
	segments := strings.Split(path, "/")
	for i := range routes {
		candidate := &routes[i]
		if candidate.method != r.Method || candidate.verb != verb {
			continue
		}
		if args, ok := arguments(strings.Split(candidate.path, "/"), segments); ok {
			return candidate, args
		}
	}
	return nil, nil
}

// arguments are the segments where the pattern has *, unescaped.
func arguments(pattern, segments []string) (args []string, ok bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	for i, want := range pattern {
		if want != "*" {
			if segments[i] != want {
				return nil, false
			}
			continue
		}
		arg, err := url.PathUnescape(segments[i])
		if err != nil || arg == "" {
			return nil, false
		}
		args = append(args, arg)
	}
	return args, true
}

// Call says what a request asks for, and what that takes.
func (a *API) Call(r *http.Request) operators.Call {
	found, args := find(r)
	if found == nil {
		return operators.Call{}
	}
	c := operators.Call{Method: found.call, Role: found.role, Resource: a.Location + "/provisioning/profiles"}
	if len(args) > 0 {
		c.Resource += "/" + args[0]
	}
	if found.call == "AddEntries" || found.call == "RemoveEntries" {
		c.Most = uploadTime
	}
	return c
}

// Answer serves a request of who may make it. Its error is the gateway's, or the
// store's.
func (a *API) Answer(w http.ResponseWriter, r *http.Request) error {
	found, args := find(r)
	if found == nil {
		return gateway.ErrNotFound
	}
	return found.answer(a, w, r, args)
}

func actor(r *http.Request) string { return operators.From(r.Context()).Name }

// parameters are the query's; one that the route does not take is refused, as it would
// be passed over.
func parameters(r *http.Request, taken ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &gateway.InvalidError{Field: "query", Reason: "is not key=value&…, escaped"}
	}
	for name, values := range q {
		if !slices.Contains(taken, name) || len(values) > 1 {
			return nil, &gateway.InvalidError{Field: "query", Reason: "takes, once each: " + strings.Join(append(taken, "nothing else"), ", ")}
		}
	}
	return q, nil
}

// decode reads a body that is one JSON object of these members, each once at the most.
func decode(r *http.Request, into any) error {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxDocument))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &gateway.InvalidError{Field: "body", Reason: "has more than a MiB"}
	case err != nil:
		return &gateway.InvalidError{Field: "body", Reason: "did not arrive"}
	}
	if err := json.Unmarshal(text, into, json.RejectUnknownMembers(true)); err != nil {
		return &gateway.InvalidError{Field: "body", Reason: "is not the JSON that is wanted: " + printed(err.Error())}
	}
	return nil
}

// reply answers with JSON that no browser takes for anything else.
func reply(w http.ResponseWriter, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, text)
	return nil
}

// replyFault tells what is wrong in a list, as Google's services tell errors, and how
// far it was taken. It returns err.
func replyFault(w http.ResponseWriter, fault *LineError, taken Imported, err error) error {
	type told struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	text, _ := json.Marshal(struct { // strings always can be
		Error told `json:"error"`
		Line  int  `json:"line"`
		Imported
	}{told{http.StatusBadRequest, printed(fault.Error()), "INVALID_ARGUMENT"}, fault.Line, taken})
	write(w, http.StatusBadRequest, text)
	return err
}

func write(w http.ResponseWriter, status int, text []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // who has gone does not read it
}

// printed is as much of a text that quotes the caller as one line has room for.
func printed(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), 200)], "")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
