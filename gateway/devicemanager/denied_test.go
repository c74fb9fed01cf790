package devicemanager_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/gateway"
)

// audit returns what the log has of one action, newest first.
func (b *bed) audit(t *testing.T, action string) (of []gateway.AuditEntry) {
	t.Helper()
	list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Action == action {
			of = append(of, e)
		}
	}
	return of
}

func TestR10_CommandsAreInTheAuditLog(t *testing.T) {
	b := newBed(t)
	mine, _ := populate(t, b)
	written := false
	b.connect(t, mine.Number, func(gateway.Command) error {
		list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 1})
		written = err == nil && len(list) == 1 && list[0].Action == "send_command"
		return nil
	})
	send := &iotpb.SendCommandToDeviceRequest{Name: seed + "/devices/" + mine.Num(), Subfolder: "power", BinaryData: []byte("SECRET")}
	if _, err := b.overREST(t, plant).SendCommandToDevice(t.Context(), send); err != nil {
		t.Fatal(err)
	}
	list := b.audit(t, "send_command")
	if len(list) != 1 || list[0].Actor != "pia" || list[0].Object != seed+"/devices/device1" || list[0].Detail != `subfolder "power", 6 bytes` {
		t.Errorf("%+v", list)
	}
	if !written {
		t.Error("the device had it before it was written")
	}
}

// What cannot be written is not sent.
func TestR10_NoCommandWithoutItsEntry(t *testing.T) {
	b := newBed(t)
	mine, _ := populate(t, b)
	b.connect(t, mine.Number, func(gateway.Command) error {
		t.Error("it was sent")
		return nil
	})
	b.Admin = forgetful{b.Admin}
	if code, text, _ := b.do(t, admin, http.MethodPost, device1+":sendCommandToDevice", `{"binaryData":"eA=="}`); code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", code, text)
	}
	if code, text, _ := b.do(t, viewer, http.MethodDelete, device1, ""); code != http.StatusForbidden {
		t.Errorf("a denial that cannot be written: %d %s", code, text)
	}
}

// forgetful cannot write into the audit log.
type forgetful struct{ gateway.Admin }

func (forgetful) Record(context.Context, gateway.AuditEntry) error {
	return errors.New("the disk is full")
}

func TestR10_DenialsAreInTheAuditLog(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	for _, c := range []struct {
		token, method, path string
		code                int
		want                gateway.AuditEntry
	}{
		{viewer, http.MethodDelete, device1, http.StatusForbidden, gateway.AuditEntry{Actor: "vera", Object: seed + "/devices/device1", Detail: "DeleteDevice"}},
		{plant, http.MethodGet, "/v1/" + other + "/devices/device1", http.StatusForbidden, gateway.AuditEntry{Actor: "pia", Object: other + "/devices/device1", Detail: "GetDevice"}},
		{plant, http.MethodGet, "/v1/" + other + "/devices/a%0d%0ab%e2%80%ae", http.StatusForbidden, gateway.AuditEntry{Actor: "pia", Object: other + "/devices/a\ufffd\ufffdb\ufffd", Detail: "GetDevice"}},
		{"the token of nobody", http.MethodGet, device1, http.StatusUnauthorized, gateway.AuditEntry{Actor: "-", Detail: "a call of GetDevice from 127.0.0.1"}},
		{"", http.MethodGet, "/nothing", http.StatusUnauthorized, gateway.AuditEntry{Actor: "-", Detail: "a call of no method from 127.0.0.1"}},
	} {
		if code, text, _ := b.do(t, c.token, c.method, c.path, ""); code != c.code {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, text)
		}
		got := b.audit(t, "denied")[0]
		if got.Actor != c.want.Actor || got.Object != c.want.Object || got.Detail != c.want.Detail || got.At.IsZero() {
			t.Errorf("%s %s: %+q, want %+q", c.method, c.path, got, c.want)
		}
	}
	if code, _, _ := b.do(t, admin, http.MethodDelete, devices+"/nobody", ""); code != http.StatusNotFound || len(b.audit(t, "denied")) != 5 {
		t.Errorf("what is not there is denied: %d", code)
	}
	for range 100 {
		b.do(t, viewer, http.MethodDelete, device1, "")
	}
	if n := len(b.audit(t, "denied")); n < 5+9 || n > 50 {
		t.Errorf("of 100 denials more %d are written in all", n)
	}
}

func TestWhoFailsTooOftenIsNotHeard(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	handler := b.Handler()
	call := func(address, token string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, device1, nil)
		r.RemoteAddr = address
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests && !strings.Contains(w.Body.String(), "from this address") {
			t.Errorf("refused with %s", w.Body)
		}
		return w.Code
	}
	const here, there, near, far = "192.0.2.1:1234", "192.0.2.2:1234", "[2001:db8::1]:1", "[2001:db8:0:1::1]:1"
	for n := range 600 { // in a minute, no fewer
		for _, address := range []string{here, near} {
			if code := call(address, "the token of nobody"); code != http.StatusUnauthorized {
				t.Fatalf("%s, failure %d: %d", address, n, code)
			}
		}
	}
	for _, c := range []struct{ failed, neighbour, other string }{{here, "192.0.2.1:99", there}, {near, "[2001:db8::2]:1", far}} {
		calls := 0
		for call(c.failed, "the token of nobody") == http.StatusUnauthorized { // ten a second are forgiven
			if calls++; calls > 100_000 {
				t.Fatalf("%s may fail on and on", c.failed)
			}
		}
		for calls = 0; call(c.neighbour, "the token of nobody") != http.StatusTooManyRequests; calls++ {
			if calls > 100_000 {
				t.Fatalf("%s, of the same subscriber, is another", c.neighbour)
			}
		}
		if code := call(c.other, admin); code != http.StatusOK {
			t.Errorf("the admin from another address: %d", code)
		}
	}
}
