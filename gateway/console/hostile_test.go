package console_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
	"iotbridge/gateway/console"
	"iotbridge/gateway/operators"
)

// panics is a fleet that stumbles.
type panics struct{ console.Fleet }

func (panics) Pulses(context.Context) ([]gateway.Pulse, error) { panic("SECRET") }
func (panics) Connections(context.Context, uint64, int) ([]gateway.Connection, error) {
	panic("SECRET")
}

// What a page stumbles over ends the page, and not the process with the devices' sessions.
func TestAPanicEndsAPageAlone(t *testing.T) {
	b := newBed(t, func(c *console.Console) { c.Fleet = panics{c.Fleet} })
	b.create("boiler1")
	w := b.browse("")
	w.send(http.MethodPost, "/login", url.Values{"token": {admin}})
	for _, path := range []string{"/", "/registries/plant7/devices/boiler1"} {
		if a := w.get(path); a.status != http.StatusInternalServerError || strings.Contains(a.text, "SECRET") {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
	for _, path := range []string{"/live/overview", "/live/registries/plant7/devices/boiler1"} {
		lines := w.stream(path)
		for lines.Scan() && lines.Text() != "data: late" {
		}
		if lines.Text() != "data: late" {
			t.Errorf("%s: the stream has ended: %v", path, lines.Err())
		}
	}
	if a := w.get("/devices"); a.status != http.StatusOK {
		t.Errorf("after that: %d", a.status)
	}
}

// stream reads a live page.
func (w *browser) stream(path string) *bufio.Scanner {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		w.t.Fatal(path, resp.Status)
	}
	return bufio.NewScanner(resp.Body)
}

// A stream ends when its operator may not see it any more, also who is still one.
func TestAStreamEndsWithTheRight(t *testing.T) {
	b := newBed(t)
	ctx, stop := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		b.console.Manager.Operators.Watch(ctx, zap.NewNop())
	}()
	t.Cleanup(func() {
		stop()
		<-watched
	})
	lines := b.browse(viewer).stream("/live/overview")
	text := operators.Operator{Name: "vera", Role: operators.Viewer, Within: plant7}.Line(viewer)
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
}

// A stream of a device that is deleted ends, and its page is gone.
func TestAStreamEndsWithItsDevice(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(admin)
	lines := w.stream("/live/registries/plant7/devices/boiler1")
	for lines.Scan() && lines.Text() != "data: live" {
	}
	if a := w.post("/registries/plant7/devices/boiler1/delete", url.Values{"sure": {" boiler1 "}}); a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.text)
	}
	b.create("boiler1") // another one
	for lines.Scan() {
		if strings.Contains(lines.Text(), "event: life") {
			t.Error("the stream shows another device")
		}
	}
}

// R2: a registry is not reached through another's path.
func TestR2_ABoundHoldsOnEveryPath(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	alien, err := b.store.CreateDevice(t.Context(), "test", &gateway.Device{Key: gateway.DeviceKey{RegistryKey: key("plant8"), Device: "alien"}})
	if err != nil {
		t.Fatal(err)
	}
	w := b.browse(bound)
	for _, registry := range []string{"plant7", "plant8", "plant7%2f..%2fplant8", "plant7%2fgroups%2fabc", "plant8%2f..%2fplant7", "%2e%2e", "plant7%00", "plant7%20"} {
		for _, device := range []string{"alien", alien.Num(), "..%2falien", "..%2f..%2fplant8%2fdevices%2falien", alien.Num() + "%2fx"} {
			path := "/registries/" + registry + "/devices/" + device
			for _, path := range []string{path, "/live" + path, path + "/gcp_iot_config.txt"} {
				if a := w.get(path); a.status < 400 && a.status != http.StatusMovedPermanently && a.status != http.StatusTemporaryRedirect || strings.Contains(a.text, alien.Num()) && !strings.Contains(device, alien.Num()) {
					t.Errorf("%s: %d %s", path, a.status, a.text)
				}
			}
			for _, action := range []string{"block", "delete", "config", "unkey"} {
				if a := w.post(path+"/"+action, url.Values{"sure": {"alien"}, "version": {"1"}, "config": {"{}"}}); a.status < 400 && a.status != http.StatusMovedPermanently && a.status != http.StatusTemporaryRedirect {
					t.Errorf("%s/%s: %d", path, action, a.status)
				}
			}
		}
		if a := w.get("/registries/" + registry + "/devices"); registry != "plant7" && a.status < 400 && a.status != http.StatusMovedPermanently && a.status != http.StatusTemporaryRedirect {
			t.Errorf("%s: %d %s", registry, a.status, a.text)
		}
	}
	now, err := b.store.Device(t.Context(), alien.Key)
	if err != nil || now.Blocked || now.Config.Version != 1 {
		t.Errorf("%+v, %v", now, err)
	}
	for _, path := range []string{"/quarantine", "/messages", "/provisioning", "/live/overview"} {
		if a := w.get(path); a.status != http.StatusForbidden {
			t.Errorf("%s: %d", path, a.status)
		}
		if home := w.get("/registries/plant7/devices"); strings.Contains(home.text, `href="`+path+`"`) {
			t.Errorf("a link leads to %s, which is denied", path)
		}
	}
	if a := w.post("/devices", url.Values{"id": {"plant9"}}); a.status != http.StatusForbidden {
		t.Errorf("a registry of its own: %d", a.status)
	}
}

// R4: what another place sent is denied, and in the audit log.
func TestR4_AForgedFormIsInTheAuditLog(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(admin)
	if a := w.send(http.MethodPost, "/registries/plant7/devices/boiler1/block", url.Values{"word": {w.word}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Fatal(a.status)
	}
	for _, method := range []string{http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		if a := w.send(method, "/registries/plant7/devices/boiler1/block?_method=POST&word="+w.word, nil, "X-HTTP-Method-Override", "POST"); a.status < 400 {
			t.Errorf("%s: %d", method, a.status)
		}
	}
	if d, err := b.store.Device(t.Context(), deviceKey("boiler1")); err != nil || d.Blocked {
		t.Error("it is blocked", err)
	}
	entries, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Actor == "ada" && e.Action == "denied" && e.Detail == "ConsoleBlock" {
			return
		}
	}
	t.Errorf("not in the audit log: %+v", entries)
}

// asked is a warehouse that keeps what it was asked for.
type asked struct {
	console.Warehouse
	refusals []console.RefusalQuery
	err      error
}

func (a *asked) Flow(context.Context, time.Time) ([]console.Minute, error) { return nil, a.err }

func (a *asked) Readings(context.Context, gateway.DeviceKey, time.Time, int) ([]console.Reading, error) {
	return nil, a.err
}

func (a *asked) Refusals(_ context.Context, q console.RefusalQuery) ([]console.Refusal, error) {
	a.refusals = append(a.refusals, q)
	return []console.Refusal{{MessageID: "42", DeviceID: "boiler1", Quarantined: time.Now()}}, a.err
}

// R2: a device's page shows its own registry's refusals alone.
func TestR2_RefusalsAreOfTheDevicesRegistry(t *testing.T) {
	stored := &asked{}
	b := newBed(t, func(c *console.Console) { c.Warehouse = stored })
	b.create("boiler1")
	page := b.browse(bound).get("/registries/plant7/devices/boiler1")
	if page.status != http.StatusOK || strings.Contains(page.text, "/quarantine") {
		t.Errorf("%d: it leads to what is denied: %s", page.status, page.text)
	}
	for _, q := range stored.refusals {
		if q.Registry != key("plant7") {
			t.Errorf("%+v", q)
		}
	}
	if page := b.browse(viewer).get("/registries/plant7/devices/boiler1"); !strings.Contains(page.text, `href="/quarantine/42"`) {
		t.Error(page.text)
	}
}

// Why BigQuery does not answer is for the log; that it does not is for the page.
func TestNoAnswerOfTheWarehouseIsSaidPlainly(t *testing.T) {
	stored := &asked{err: errors.New(`Post "http://10.1.2.3:9050/bigquery": connection refused`)}
	b := newBed(t, func(c *console.Console) { c.Warehouse = stored })
	b.create("boiler1")
	w := b.browse(viewer)
	for _, path := range []string{"/", "/registries/plant7/devices/boiler1"} {
		if a := w.get(path); a.status != http.StatusOK || !strings.Contains(a.text, "BigQuery does not answer") || strings.Contains(a.text, "10.1.2.3") || strings.Contains(a.text, "<td colspan=\"4\">Nothing.") {
			t.Errorf("%s: %d %s", path, a.status, a.text)
		}
	}
}
