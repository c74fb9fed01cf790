package devicemanager_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

// Another API behind the guard is called by who may call Device Manager, and its errors
// are told alike.
func TestAnotherAPIBehindTheGuard(t *testing.T) {
	b := newBed(t)
	calls := map[string]operators.Call{
		"/sees":    {Method: "See", Role: operators.Viewer, Resource: location},
		"/changes": {Method: "Change", Role: operators.Admin, Resource: location},
		"/forgot":  {Method: "Forgot", Resource: location},
		"/panics":  {Method: "Panic", Role: operators.Viewer, Resource: location},
		"/writes":  {Method: "Write", Role: operators.Viewer, Resource: location},
	}
	handler := b.Guard(func(r *http.Request) operators.Call { return calls[r.URL.Path] }, func(w http.ResponseWriter, r *http.Request) error {
		switch r.URL.Path {
		case "/panics":
			panic("SECRET")
		case "/writes":
			w.WriteHeader(http.StatusTeapot)
			return gateway.ErrExists
		case "/changes":
			return &gateway.InvalidError{Field: "x", Reason: operators.From(r.Context()).Name}
		}
		return nil
	})
	for _, c := range []struct {
		token, path string
		code        int
		words       string
	}{
		{"", "/sees", 401, "UNAUTHENTICATED"},
		{"", "/nothing", 401, ""},
		{admin, "/nothing", 404, "NOT_FOUND"},
		{viewer, "/sees", 200, ""},
		{viewer, "/changes", 403, "PERMISSION_DENIED"},
		{plant, "/sees", 403, "within"},
		{admin, "/changes", 400, "x: ada"},
		{admin, "/forgot", 403, "the role none"},
		{admin, "/panics", 500, "its log says more"},
		{admin, "/writes", http.StatusTeapot, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, c.path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.words) || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%q %s: %d %s", c.token, c.path, w.Code, w.Body)
		}
	}
	if n := b.log.FilterMessage("a call was denied").FilterField(zapMethod("Change")).Len(); n != 1 {
		t.Errorf("%d denials are in the log", n)
	}
}
