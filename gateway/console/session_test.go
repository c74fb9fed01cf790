package console_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

func TestNobodySeesAnything(t *testing.T) {
	b := newBed(t)
	w := b.browse("")
	for _, path := range []string{"/", "/devices", "/registries/plant7/devices", "/quarantine", "/nothing"} {
		a := w.get(path)
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/login?next="+url.QueryEscape(path) {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Location"))
		}
	}
	if a := w.get("/live/overview"); a.status != http.StatusUnauthorized {
		t.Errorf("a stream: %d", a.status)
	}
	for _, cookie := range []string{"x", strings.Repeat("A", 100), strings.Repeat("A", 20_000)} {
		if a := w.send(http.MethodGet, "/", nil, "Cookie", "iotbridge-00000000="+cookie); a.status != http.StatusSeeOther {
			t.Errorf("a cookie of %d bytes: %d", len(cookie), a.status)
		}
	}
	if a := w.send(http.MethodPost, "/login", url.Values{"token": {"guessed"}}); a.status != http.StatusForbidden || strings.Contains(a.text, "guessed") {
		t.Errorf("a wrong token: %d", a.status)
	}
}

func TestASessionIsASealedCookie(t *testing.T) {
	b := newBed(t)
	w := b.browse("")
	a := w.send(http.MethodPost, "/login", url.Values{"token": {viewer}, "next": {"/devices?kind=silent"}})
	cookie := a.header.Get("Set-Cookie")
	if a.header.Get("Location") != "/devices?kind=silent" || !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || strings.Contains(cookie, viewer) {
		t.Errorf("%s, %s", a.header.Get("Location"), cookie)
	}
	if a := w.get("/"); a.status != http.StatusOK || !strings.Contains(a.text, "vera") {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := w.send(http.MethodPost, "/logout", nil); a.status != http.StatusSeeOther {
		t.Errorf("%d", a.status)
	}
	if a := w.get("/"); a.status != http.StatusSeeOther {
		t.Errorf("after signing out: %d", a.status)
	}
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/%0d%0aSet-Cookie:x=y\r\n", ""} {
		if a := b.browse("").send(http.MethodPost, "/login", url.Values{"token": {viewer}, "next": {next}}); strings.Contains(a.header.Get("Location"), "evil") || !strings.HasPrefix(a.header.Get("Location"), "/") {
			t.Errorf("%q leads to %q", next, a.header.Get("Location"))
		}
	}
}

func TestWhoIsStruckFromTheFileIsOut(t *testing.T) {
	b := newBed(t)
	log := zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))
	w := b.browse(viewer)
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), "vera")
	_, after, _ := strings.Cut(rest, "\n")
	if err := os.WriteFile(b.file, []byte(before+after), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { b.console.Manager.Operators.Watch(ctx, log) })
	defer watching.Wait() // it logs to the test
	defer stop()
	for limit := time.Now().Add(time.Minute); w.get("/").status != http.StatusSeeOther; {
		if time.Now().After(limit) {
			t.Fatal("still in")
		}
	}
}

func TestALinkSignsInOnce(t *testing.T) {
	b := newBed(t)
	w := b.browse("")
	if a := w.send(http.MethodPost, "/login/links", nil, "Authorization", "Bearer guessed"); a.status != http.StatusUnauthorized {
		t.Errorf("%d %s", a.status, a.text)
	}
	a := w.send(http.MethodPost, "/login/links", nil, "Authorization", "Bearer "+viewer)
	var link struct{ Path string }
	if err := json.Unmarshal([]byte(a.text), &link); err != nil || strings.Contains(a.text, viewer) {
		t.Fatal(err, a.text)
	}
	if a := w.get(link.Path); a.status != http.StatusSeeOther || a.header.Get("Set-Cookie") == "" {
		t.Errorf("%d", a.status)
	}
	again := b.browse("")
	if a := again.get(link.Path); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
		t.Errorf("the second time: %d", a.status)
	}
	// What is sealed as a link is no session, and the other way round.
	if a := again.send(http.MethodGet, "/", nil, "Cookie", w.cookieName()+"="+strings.TrimPrefix(link.Path, "/login?link=")); a.status != http.StatusSeeOther {
		t.Errorf("a link as a cookie: %d", a.status)
	}
	if a := again.get("/login?link=" + w.cookieValue()); a.status != http.StatusForbidden {
		t.Errorf("a cookie as a link: %d", a.status)
	}
}

func (w *browser) cookie() *http.Cookie {
	at, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.client.Jar.Cookies(at)[0]
}
func (w *browser) cookieName() string  { return w.cookie().Name }
func (w *browser) cookieValue() string { return w.cookie().Value }

func TestEveryAnswerIsGuarded(t *testing.T) {
	b := newBed(t)
	w := b.browse(admin)
	for _, path := range []string{"/", "/login", "/nothing", "/static/app.js", "/static/vendor/uplot.js"} {
		h := w.get(path).header
		policy := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: %v", path, h)
		}
	}
	if a := w.get("/"); strings.Contains(a.text, " style=") || strings.Contains(a.text, "<script>") || strings.Contains(a.text, " onclick") || a.header.Get("Cache-Control") != "no-store" {
		t.Error(a.text)
	}
	if a := w.get("/static/../secure.go"); a.status == http.StatusOK {
		t.Error("a file of the source is served")
	}
}

// A stream begins with what there is, and ends with the console.
func TestALivePageIsToldAtOnce(t *testing.T) {
	b := newBed(t)
	b.create("boiler1")
	w := b.browse(viewer)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/live/overview", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() && lines.Text() != "event: tiles" {
		}
		for lines.Scan() && !strings.Contains(lines.Text(), "of 1 devices") {
		}
		if !strings.Contains(lines.Text(), "of 1 devices") {
			t.Fatal("the stream has ended", lines.Err())
		}
	}
}
