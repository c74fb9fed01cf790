package provision

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"
)

// Whatever is refused, the device is told a text, and when to come back if it may.
func TestEveryRefusalIsTold(t *testing.T) {
	all := append(slices.Collect(maps.Keys(statuses)), notServed, wrongMethod, tooLarge, wrongMedia, crowded)
	for _, code := range all {
		a := tell(refuse(code, "secret"), "8a6e0804-2bd0-4672-b79d-d97027f9071a")
		var p problem
		if err := json.Unmarshal(a.body, &p); err != nil || p.Detail == "" || p.Title == "" || p.Status != a.status || p.RequestID == "" || p.Code != code.Shown() {
			t.Errorf("%s: %s, %v", code, a.body, err)
		}
		waits := a.status == http.StatusAccepted || a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable
		if (a.header.Get("Retry-After") != "") != waits || a.status == http.StatusInternalServerError {
			t.Errorf("%s: %d, Retry-After %q", code, a.status, a.header.Get("Retry-After"))
		}
	}
	no := refuse(TooMany, "")
	no.RetryAfter = 1500 * time.Millisecond
	if after := tell(no, "").header.Get("Retry-After"); after != "2" {
		t.Errorf("after %s", after)
	}
}
