package devicemanager_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"iotbridge/gateway"
)

func TestR10_TheActorIsTheCredentials(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	device := "/v1/" + seed + "/devices/device1"
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, b.url+device+"?updateMask=blocked", strings.NewReader(`{"blocked":true}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"From", "X-Actor", "X-Forwarded-User", "X-Goog-Authenticated-User-Email", "Grpc-Metadata-Authorization"} {
		req.Header.Set(header, "mallory")
	}
	resp, err := b.http(t, plant).Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 1})
	if err != nil || len(list) != 1 || list[0].Actor != "pia" || list[0].Action != "block_device" {
		t.Errorf("audit: %+v, %v", list, err)
	}
	entry := b.log.FilterMessage("a call").FilterField(zapMethod("UpdateDevice")).All()
	if len(entry) != 1 || entry[0].ContextMap()["actor"] != "pia" || entry[0].ContextMap()["code"] != "OK" || entry[0].ContextMap()["resource"] != seed+"/devices/device1" {
		t.Errorf("log: %+v", entry)
	}
	before := b.audits(t)
	for _, id := range []string{"a\r\nactor=ada", "a\u2028b\u202ec", "dev\x00ice", "a\x1b[2Jb"} {
		body, err := json.Marshal(map[string]string{"id": id})
		if err != nil {
			t.Fatal(err)
		}
		if code, text, _ := b.do(t, admin, http.MethodPost, "/v1/"+seed+"/devices", string(body)); code != http.StatusBadRequest || strings.Contains(text, id) {
			t.Errorf("%q: %d %s", id, code, text)
		}
	}
	for _, path := range []string{"/devices/a%0d%0aactor=ada", "/devices/%ff%fe", "/devices/" + strings.Repeat("a", 5000)} {
		if code, text, _ := b.do(t, admin, http.MethodDelete, "/v1/"+seed+path, ""); code != http.StatusBadRequest {
			t.Errorf("%.40s: %d %s", path, code, text)
		}
	}
	if b.audits(t) != before {
		t.Error("a name outside the grammar is in the audit log")
	}
	for _, e := range b.log.All() {
		for key, v := range e.ContextMap() {
			if s := fmt.Sprint(v); len(s) > 1100 || slices.ContainsFunc([]string{admin, viewer, plant}, func(token string) bool { return strings.Contains(s, token) }) {
				t.Errorf("%s: %.60s is in the log", key, s)
			}
		}
	}
}
