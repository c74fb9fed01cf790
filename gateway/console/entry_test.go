package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/operators"
)

// link is a path that signs in whose token it is.
func (b *bed) link(token string) string {
	b.t.Helper()
	a := b.browse("").send(http.MethodPost, "/login/links", nil, "Authorization", "Bearer "+token)
	var link struct{ Path string }
	if err := json.Unmarshal([]byte(a.text), &link); err != nil {
		b.t.Fatal(err, a.text)
	}
	return link.Path
}

// R4: a link that somebody else has put before an operator makes them nobody else unasked.
func TestR4_ALinkOfAnotherIsAskedAbout(t *testing.T) {
	b := newBed(t)
	admins := b.browse(admin)
	for name, c := range map[string]struct {
		who    *browser
		header []string
	}{
		"from a page of another site":  {b.browse(""), []string{"Sec-Fetch-Site", "cross-site"}},
		"while another is signed in":   {admins, nil},
		"from a sibling of the domain": {b.browse(""), []string{"Sec-Fetch-Site", "same-site"}},
	} {
		path := b.link(viewer)
		a := c.who.send(http.MethodGet, path, nil, c.header...)
		if a.status != http.StatusOK || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.text, "Yes, sign me in") {
			t.Fatalf("%s: %d %s", name, a.status, a.text)
		}
		form := url.Values{"link": {strings.TrimPrefix(path, "/login?link=")}}
		if a := c.who.send(http.MethodPost, "/login", form, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
			t.Errorf("%s: it is answered by the other place: %d", name, a.status)
		}
		if a := c.who.send(http.MethodPost, "/login", form); a.status != http.StatusSeeOther || a.header.Get("Set-Cookie") == "" {
			t.Errorf("%s, then yes: %d %s", name, a.status, a.text)
		}
		if a := c.who.send(http.MethodPost, "/login", form); a.status != http.StatusForbidden {
			t.Errorf("%s: twice: %d", name, a.status)
		}
	}
	path := b.link(admin)
	if a := b.browse("").send(http.MethodHead, path, nil); a.status != http.StatusOK || a.header.Get("Set-Cookie") != "" {
		t.Errorf("a look at the link: %d", a.status)
	}
	if a := b.browse(admin).send(http.MethodGet, path, nil, "Sec-Fetch-Site", "none"); a.status != http.StatusSeeOther {
		t.Errorf("after that: %d", a.status)
	}
}

func TestWhatIsTooLargeForNobodyIsNotRead(t *testing.T) {
	b := newBed(t)
	w := b.browse("")
	if a := w.send(http.MethodPost, "/login", url.Values{"token": {strings.Repeat("x", 64<<10)}}); a.status != http.StatusBadRequest {
		t.Errorf("%d", a.status)
	}
	if a := w.send(http.MethodPost, "/login", url.Values{"token": {strings.Repeat("x", 4000)}}); a.status != http.StatusForbidden {
		t.Errorf("%d", a.status)
	}
}

// A browser would not keep the cookie, and ask for the token for ever.
func TestATokenThatNoCookieHoldsIsRefusedInWords(t *testing.T) {
	b := newBed(t)
	long := strings.Repeat("x", 3500)
	b.operators(operators.Operator{Name: "lena", Role: operators.Viewer}.Line(long))
	a := b.browse("").send(http.MethodPost, "/login", url.Values{"token": {long}})
	if a.status != http.StatusBadRequest || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.text, "too long") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// What is sent after a session's end is not done, and leads to the way in and back.
func TestAFormAfterTheSessionsEnd(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse("")
	a := w.send(http.MethodPost, "/registries/plant7/devices/boiler1/block", nil, "Referer", b.url+"/registries/plant7/devices/boiler1")
	if a.status != http.StatusUnauthorized || !strings.Contains(a.text, "Your session has ended") || !strings.Contains(a.text, `name="next" value="/registries/plant7/devices/boiler1"`) {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.send(http.MethodPost, "/registries/plant7/devices/boiler1/block", nil, "Referer", "https://evil.example/x"); strings.Contains(a.text, "evil") {
		t.Error(a.text)
	}
}

// What was refused is not lost, and the page before is a link away.
func TestAProblemKeepsWhatWasSent(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(admin)
	const page = "/registries/plant7/devices/boiler1"
	a := w.send(http.MethodPost, page+"/config", url.Values{"word": {w.word}, "version": {"1"}, "json": {"on"}, "config": {`{"a": <b>`}}, "Referer", b.url+page)
	if a.status != http.StatusBadRequest || !strings.Contains(a.text, `{&#34;a&#34;: &lt;b&gt;`) || !strings.Contains(a.text, `<a href="`+page+`">Back`) {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.get("/nothing"); !strings.Contains(a.text, "<h1>Not there</h1>") {
		t.Error(a.text)
	}
}

// Over TLS another host of the domain cannot set the session; a name of this machine is
// not remembered.
func TestTLSOfTheConsole(t *testing.T) {
	b := newBed(t)
	server := httptest.NewTLSServer(b.console.Handler())
	t.Cleanup(server.Close)
	for host, remembered := range map[string]bool{"iot.example.com": true, "localhost:8080": false, "a.LOCALHOST": false} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/login", strings.NewReader(url.Values{"token": {viewer}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		client := server.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if cookie := resp.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-iotbridge-") || !strings.Contains(cookie, "Secure") || !strings.Contains(cookie, "Path=/;") || strings.Contains(cookie, "Domain") {
			t.Errorf("%s: %s", host, cookie)
		}
		if got := resp.Header.Get("Strict-Transport-Security") != ""; got != remembered {
			t.Errorf("%s: remembered: %v", host, got)
		}
	}
}

// R11: of two who change a device's keys at once neither undoes what the other did.
func TestR11_KeysAreChangedOneAfterTheOther(t *testing.T) {
	b := newBed(t)
	w := b.browse(admin)
	for _, name := range []string{"boiler1", "boiler2", "boiler3", "boiler4"} {
		b.create(name)
		var added sync.WaitGroup
		for range 3 {
			key := publicKey(t)
			added.Go(func() {
				if a := w.post("/registries/plant7/devices/"+name+"/key", url.Values{"key": {key}}); a.status != http.StatusSeeOther {
					t.Errorf("%d %s", a.status, a.text)
				}
			})
		}
		added.Wait()
		if d, err := b.store.Device(t.Context(), deviceKey(name)); err != nil || len(d.Credentials) != 3 {
			t.Errorf("%d of 3 keys are there, %v", len(d.Credentials), err)
		}
		if a := w.post("/registries/plant7/devices/"+name+"/key", url.Values{"key": {publicKey(t)}}); a.status != http.StatusBadRequest || !strings.Contains(a.text, "at most 3") {
			t.Errorf("a fourth: %d %s", a.status, a.text)
		}
	}
	entries, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 1})
	if err != nil || entries[0].Actor != "ada" || entries[0].Action != "update_device" {
		t.Errorf("%+v, %v", entries, err)
	}
}

func TestAKeyThatOpensNothingIsRefused(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(admin)
	for expires, want := range map[string]int{"2001-01-02T15:04": 400, "2036-01-02T15:04:05": 303, "tomorrow": 400} {
		if a := w.post("/registries/plant7/devices/boiler1/key", url.Values{"key": {publicKey(t)}, "expires": {expires}}); a.status != want {
			t.Errorf("%s: %d %s", expires, a.status, a.text)
		}
	}
}

// What a form would change does not stand in one.
func TestAConfigThatNoFormCarriesIsNotInOne(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(admin)
	for config, foreign := range map[string]bool{"\n\n{}": false, "a\tb": false, "a\r\nb": true, "\x00": true, "\xff": true, "\x1b[31m": true} {
		if _, err := b.store.SetConfig(t.Context(), "test", deviceKey("boiler1"), 0, []byte(config)); err != nil {
			t.Fatal(err)
		}
		text := w.get("/registries/plant7/devices/boiler1").text
		_, rest, _ := strings.Cut(text, `<textarea id="config"`)
		_, rest, _ = strings.Cut(rest, ">\n")
		area, _, _ := strings.Cut(rest, "</textarea>")
		if warned := strings.Contains(text, "is not plain text"); warned != foreign || foreign && area != "" || !foreign && area != config {
			t.Errorf("%q: %q, warned: %v", config, area, warned)
		}
	}
}

func TestARouteThatIsNoneIsRefused(t *testing.T) {
	b := newBed(t)
	w := b.browse(admin)
	for _, routes := range []string{"=things", "a=", "="} {
		if a := w.post("/devices", url.Values{"id": {"plant9"}, "routes": {routes}, "mqtt": {"on"}}); a.status != http.StatusBadRequest {
			t.Errorf("%q: %d", routes, a.status)
		}
	}
}
