package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iotbridge/gateway"
)

func TestDevicesAreFoundPageByPage(t *testing.T) {
	b := newBed(t)
	for i := range 120 {
		b.create(fmt.Sprintf("boiler%03d", i))
	}
	odd := b.create("a%41b~c.d")
	w := b.browse(viewer)
	seen := 0
	for path := "/registries/plant7/devices"; path != ""; {
		a := w.get(path)
		if a.status != http.StatusOK {
			t.Fatal(path, a.status, a.text)
		}
		seen += strings.Count(a.text, `href="/registries/plant7/devices/`)
		_, rest, more := strings.Cut(a.text, `<a href="/registries/plant7/devices?token=`)
		if path = ""; more {
			token, _, _ := strings.Cut(rest, `"`)
			path = "/registries/plant7/devices?token=" + token
		}
	}
	if seen != 121 {
		t.Errorf("%d devices on all pages", seen)
	}
	if a := w.get("/registries/plant7/devices?q=" + odd.Num()); !strings.Contains(a.text, `href="/registries/plant7/devices/a%2541b~c.d"`) || strings.Contains(a.text, "boiler") {
		t.Error(a.text)
	}
	if a := w.get("/registries/plant7/devices?q=BOILER01&sort=number&desc=1"); strings.Count(a.text, ">boiler01") != 10 || !strings.Contains(a.text, `aria-sort="descending"`) {
		t.Error(a.text)
	}
	for path, want := range map[string]int{"?kind=x": 400, "?sort=x": 400, "?token=x": 400, "?q=" + strings.Repeat("x", 256): 400} {
		if a := w.get("/registries/plant7/devices" + path); a.status != want {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := w.get("/registries/nothing/devices"); a.status != http.StatusNotFound {
		t.Errorf("no such registry: %d", a.status)
	}
}

func TestABoundOperatorSeesItsRegistryAlone(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(bound)
	for path, want := range map[string]int{"/registries/plant7/devices": 200, "/registries/plant8/devices": 403, "/live/overview": 403, "/": 303, "/devices": 303} {
		if a := w.get(path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	if a := w.get("/"); a.header.Get("Location") != "/registries/plant7/devices" {
		t.Error(a.header)
	}
}

func TestARegistryIsMadeWithItsRoutes(t *testing.T) {
	b := newBed(t)
	fields := url.Values{"id": {"plant9"}, "routes": {"temperature=temperature\r\nsensordata\r\n"}, "state": {"states"}, "mqtt": {"on"}}
	if a := b.browse(viewer).post("/devices", fields); a.status != http.StatusForbidden {
		t.Errorf("a viewer: %d", a.status)
	}
	w := b.browse(admin)
	a := w.post("/devices", url.Values{"id": fields["id"], "routes": fields["routes"], "state": fields["state"], "mqtt": fields["mqtt"]})
	if a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.text)
	}
	r, err := b.store.Registry(t.Context(), key("plant9"))
	if err != nil || !r.MQTT || r.HTTP || len(r.Routes) != 2 || r.Routes[0] != (gateway.Route{SubFolder: "temperature", Topic: "projects/my-project/topics/temperature"}) || r.Routes[1].Topic != "projects/my-project/topics/sensordata" {
		t.Errorf("%+v, %v", r, err)
	}
	if a := w.get(a.header.Get("Location")); !strings.Contains(a.text, "The registry is made.") {
		t.Error(a.text)
	}
	if a := w.get("/devices"); !strings.Contains(a.text, "plant9") || !strings.Contains(a.text, "projects/my-project/topics/temperature") {
		t.Error(a.text)
	}
}

// R4: a form that did not come from a page of the session changes nothing.
func TestR4_AFormOfAnotherPlaceChangesNothing(t *testing.T) {
	b := newBed(t)
	w, other := b.browse(admin), b.browse(admin)
	fields := func(word string) url.Values {
		return url.Values{"id": {"plant9"}, "mqtt": {"on"}, "routes": {"things"}, "word": {word}}
	}
	for name, a := range map[string]answer{
		"without the word":            w.send(http.MethodPost, "/devices", url.Values{"id": {"plant9"}, "mqtt": {"on"}}),
		"with another session's word": w.send(http.MethodPost, "/devices", fields(other.word)),
		"from another site":           w.send(http.MethodPost, "/devices", fields(w.word), "Sec-Fetch-Site", "cross-site"),
		"from another origin":         w.send(http.MethodPost, "/devices", fields(w.word), "Sec-Fetch-Site", "", "Origin", "https://evil.example"),
		"by GET":                      w.get("/devices?id=plant9&mqtt=on&word=" + w.word),
	} {
		if name != "by GET" && a.status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.status)
		}
		if _, err := b.store.Registry(t.Context(), key("plant9")); err == nil {
			t.Fatal(name, "made the registry")
		}
	}
	if a := w.send(http.MethodPost, "/devices", fields(w.word)); a.status != http.StatusSeeOther {
		t.Errorf("the session's own: %d %s", a.status, a.text)
	}
}
