package devicemanager_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestADeviceMayBringItsNumber(t *testing.T) {
	b := newBed(t)
	_, theirs := populate(t, b)
	const old = "2577321808646966"
	create := func(token, id, number string) (int, string) {
		code, text, _ := b.do(t, token, http.MethodPost, devices, fmt.Sprintf(`{"id":%q,"numId":%q}`, id, number))
		return code, text
	}
	for _, number := range []string{old, theirs.Num()} { // R2: whether or not there is such a device
		if code, text := create(plant, "pi-1", number); code != http.StatusForbidden || !strings.Contains(text, "share the numbers") {
			t.Errorf("who has one registry only: %d %s", code, text)
		}
	}
	if code, text := create(viewer, "pi-1", old); code != http.StatusForbidden {
		t.Errorf("a viewer: %d %s", code, text)
	}
	if code, text := create(admin, "pi-1", old); code != http.StatusOK {
		t.Errorf("the admin: %d %s", code, text)
	}
	if got := b.want(t, http.StatusOK, http.MethodGet, devices+"/"+old, nil); got["id"] != "pi-1" || got["numId"] != old || got["name"] != seed+"/devices/"+old {
		t.Errorf("by its old number: %v", got)
	}
	if code, text := create(admin, "pi-2", theirs.Num()); code != http.StatusConflict || !strings.Contains(text, "is, or was, a device's") {
		t.Errorf("another's number: %d %s", code, text)
	}
	b.want(t, http.StatusOK, http.MethodDelete, devices+"/pi-1", nil)
	if code, text := create(admin, "pi-1", old); code != http.StatusConflict {
		t.Errorf("a deleted device's number: %d %s", code, text)
	}
	if code, text, _ := b.do(t, plant, http.MethodPost, devices, `{"id":"pi-1"}`); code != http.StatusOK || strings.Contains(text, old) {
		t.Errorf("without a wish: %d %s", code, text)
	}
}
