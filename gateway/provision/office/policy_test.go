package office

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iotbridge/gateway/operators"
)

// A route that is added without saying who may take it fails here, and is nobody's.
func TestP16_EveryRouteHasAPolicy(t *testing.T) {
	calls := map[string]bool{}
	for _, r := range routes {
		want := operators.Admin
		if r.method == http.MethodGet {
			want = operators.Viewer
		}
		if r.role != want {
			t.Errorf("%s %s:%s is for the role %s, want %s", r.method, r.path, r.verb, r.role, want)
		}
		if r.call == "" || calls[r.call] || r.answer == nil {
			t.Errorf("%s %s:%s has no name, another's, or no answer", r.method, r.path, r.verb)
		}
		calls[r.call] = true
		request := httptest.NewRequestWithContext(t.Context(), r.method, Root+strings.ReplaceAll(r.path, "*", "abc")+verbOf(r), nil)
		if c := (&API{Place: Place{Location: "projects/p/locations/l"}}).Call(request); c.Method != r.call || c.Role != r.role || !strings.HasPrefix(c.Resource, "projects/p/locations/l/provisioning/profiles") {
			t.Errorf("%s %s is the call %+v", r.method, request.URL, c)
		}
	}
}

func verbOf(r route) string {
	if r.verb == "" {
		return ""
	}
	return ":" + r.verb
}

func TestP16_WhatIsInNoRouteIsNobodys(t *testing.T) {
	for _, line := range []string{
		"GET /v1/provisioning/", "GET /v1/provisioning", "GET /v1/provisioning/profiles/", "POST /v1/provisioning/profiles/abc", "DELETE /v1/provisioning/profiles/abc/claims/S123:deny",
		"POST /v1/provisioning/profiles/abc:Disable", "POST /v1/provisioning/profiles/abc:enroll",
		"PATCH /v1/provisioning/profiles/abc", "HEAD /v1/provisioning/profiles", "GET /v1/provisioning/profiles/abc/lists", "POST /v1/provisioning/profiles/abc/claims",
		"GET /v1/provisioning//profiles", "GET /v1/provisioning/profiles/../profiles", "GET /V1/provisioning/profiles", "DELETE /v1/provisioning/profiles/abc/claims/S123",
		"POST /v1/provisioning/profiles/abc/claims/S123", "POST /v1/provisioning/profiles/abc/bootstrap/00:forget",
	} {
		method, path, _ := strings.Cut(line, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
		r.URL.Path, r.URL.RawPath = path, path
		if c := (&API{}).Call(r); c.Method != "" || c.Role != 0 || (operators.Operator{Role: operators.Admin}).May(c.Role, c.Resource) {
			t.Errorf("%s is the call %+v", line, c)
		}
		if err := (&API{}).Answer(httptest.NewRecorder(), r); err == nil {
			t.Errorf("%s is answered", line)
		}
	}
}
