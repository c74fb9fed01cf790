package provision_test

import (
	"crypto/hmac"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway/provision"
)

// hooked is a counter whose profile asks the function.
func hooked(t *testing.T, answer http.HandlerFunc) *counter {
	t.Helper()
	function := httptest.NewUnstartedServer(answer)
	function.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
	function.StartTLS()
	roots := x509.NewCertPool()
	roots.AddCert(function.Certificate())
	hooks := &provision.Hooks{Private: true, Roots: roots}
	t.Cleanup(func() { hooks.Close(); function.CloseClientConnections(); function.Close() })
	c := newCounter(t, func(p *provision.Profile) {
		p.Webhook = &provision.Hook{URL: function.URL + "/validate", Secret: "shared", Timeout: provision.Duration(30 * time.Second)}
	})
	c.Hooks = hooks
	return c
}

func says(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, text)
}

// status says it with another status.
func status(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	io.WriteString(w, text)
}

func TestTheWebhookIsToldWhatTheNotesSay(t *testing.T) {
	var asked []map[string]any
	c := hooked(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := provision.Sign([]byte("shared"), r.Header.Get("X-Timestamp"), body); !hmac.Equal([]byte(want), []byte(r.Header.Get("X-Signature"))) {
			t.Error("the signature")
		}
		var q map[string]any
		if err := json.Unmarshal(body, &q); err != nil {
			t.Error(err)
		}
		if r.Method != http.MethodPost || r.URL.Path != "/validate" || r.Header.Get("X-Request-Id") != q["requestId"] || r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		asked = append(asked, q)
		says(w, `{"decision":"ALLOW","reason":"sold","deviceId":"plant7","metadata":{"customer":"c1"},"blocked":false}`)
	})
	c.put(func(p *provision.Profile) {
		p.Again = provision.AgainReplace
		p.Metadata = map[string]string{"model": "m1"}
	})
	r := c.request("sn-0001", newKey(t))
	r.Unit.MACs, r.Subject = []string{"B8-27-EB-00-00-01"}, "CN=anything"
	g := c.granted(r)
	if d := c.device(g); d.Key.Device != "plant7" || d.Metadata["customer"] != "c1" || d.Metadata["model"] != "m1" {
		t.Errorf("%+v", d)
	}
	c.granted(r) // a repeated answer asks nobody
	c.granted(c.request("SN-0001", nil))
	if len(asked) != 2 {
		t.Fatalf("asked %d times", len(asked))
	}
	text := fmt.Sprint(asked[0])
	for _, want := range []string{
		"version:1", "attempt:1", "requestId:request-1", "profile:batch", "registry:" + fleet.String(), "sha256:" + c.by.SHA256, "subject:CN=batch 7", "keyMode:csr", "sourceIp:192.0.2.1",
		"serialNumber:SN-0001", "macAddresses:[b8:27:eb:00:00:01]", "list:map[allow:false deny:false]", "spkiSha256:", "subject:CN=anything", "existing:<nil>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if text = fmt.Sprint(asked[1]); !strings.Contains(text, "existing:map[deviceId:plant7 lastSeen: numId:") || !strings.Contains(text, "state:CLAIMED") || !strings.Contains(text, "keyMode:server") || !strings.Contains(text, "csr:<nil>") {
		t.Error(text)
	}
}

func TestTheWebhooksWord(t *testing.T) {
	var word atomic.Value
	c := hooked(t, func(w http.ResponseWriter, _ *http.Request) { says(w, word.Load().(string)) })
	word.Store(`{"decision":"DENY","reason":"stolen"}`)
	if no := c.refused("DENY", c.request("SN-0001", newKey(t)), provision.DeniedByWebhook); no.Detail != "stolen" || no.Code.Shown() != "DENIED" {
		t.Errorf("%+v", no)
	}
	key := newKey(t)
	word.Store(`{"decision":"PENDING","retryAfterSeconds":7}`)
	for range 2 {
		if no := c.refused("PENDING", c.request("SN-0001", key), provision.PendingApproval); no.RetryAfter != 7*time.Second {
			t.Errorf("%+v", no)
		}
	}
	if len(c.devices()) != 0 {
		t.Error("a device before it is granted")
	}
	if _, err := c.office.Approve(t.Context(), "test", "batch", "SN-0001"); err != nil {
		t.Fatal(err)
	}
	word.Store(`{"decision":"DENY"}`)
	c.refused("DENY wins", c.request("SN-0001", key), provision.DeniedByWebhook)
	word.Store(`{"decision":"PENDING"}`)
	c.granted(c.request("SN-0001", key))
	word.Store(`{"decision":"ALLOW","blocked":true}`)
	if d := c.device(c.granted(c.request("SN-0002", newKey(t)))); !d.Blocked {
		t.Error("not blocked")
	}
}

// B71, P8, P19: what is no clear answer in time grants nothing, and may pass.
func TestB71_P8_P19_NoAnswerGrantsNothing(t *testing.T) {
	elsewhere := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it follows a redirect") }))
	defer elsewhere.Close()
	const yes = `{"decision":"ALLOW"}`
	for name, row := range map[string]struct {
		answer   http.HandlerFunc
		attempts int32
	}{
		"500":     {func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusInternalServerError, yes) }, 2},
		"cut off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 2},
		"404":     {func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusNotFound, yes) }, 1},
		"201":     {func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusCreated, yes) }, 1},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, 1},
		"text": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, yes)
		}, 1},
		"gzip": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip"); says(w, yes) }, 1},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for chunk := strings.Repeat(" ", 1<<20); ; {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}, 1},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) { says(w, `<html>`) }, 1},
		"empty":   {func(w http.ResponseWriter, _ *http.Request) { says(w, ``) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var attempts atomic.Int32
			ids := make(chan string, 8)
			c := hooked(t, func(w http.ResponseWriter, r *http.Request) {
				attempts.Add(1)
				ids <- r.Header.Get("X-Request-Id")
				row.answer(w, r)
			})
			if no := c.refused(name, c.request("SN-0001", newKey(t)), provision.WebhookUnavailable); no.RetryAfter == 0 || no.Code.Status() != http.StatusServiceUnavailable {
				t.Errorf("%+v", no)
			}
			if n := attempts.Load(); n != row.attempts {
				t.Errorf("%d attempts", n)
			}
			for range row.attempts {
				if id := <-ids; id != "request-1" {
					t.Errorf("request %q", id)
				}
			}
			if len(c.devices()) != 0 {
				t.Error("granted")
			}
		})
	}
}

func TestB71_TheRetryMayHelp(t *testing.T) {
	var attempts atomic.Int32
	c := hooked(t, func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		says(w, `{"decision":"ALLOW"}`)
	})
	c.granted(c.request("SN-0001", newKey(t)))
}

// B71: one that drips has its time, and not more.
func TestB71_ADripIsCutOff(t *testing.T) {
	const most = 8
	begun, ended := make(chan struct{}, most), make(chan struct{}, most)
	c := hooked(t, func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		says(w, ` `)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		ended <- struct{}{}
	})
	// On a busy machine the time may be over before the function is reached.
	for time := 200 * time.Millisecond; len(begun) == 0; time *= 2 {
		c.put(func(p *provision.Profile) { p.Webhook.Timeout = provision.Duration(time) })
		c.refused("a drip", c.request("SN-0001", newKey(t)), provision.WebhookUnavailable)
	}
	<-ended
}

// P7: a function in a private network is not asked, unless the gateway's operator says
// that it may be; nor is one that nothing vouches for.
func TestP7_P19_WhatIsNotAsked(t *testing.T) {
	c := hooked(t, func(http.ResponseWriter, *http.Request) { t.Error("asked") })
	roots := c.Hooks.Roots
	for what, hooks := range map[string]*provision.Hooks{"private": {Roots: roots}, "unknown to the roots": {Private: true}} {
		c.Hooks = hooks
		c.refused(what, c.request("SN-0001", newKey(t)), provision.WebhookUnavailable)
		hooks.Close()
	}
	c.Hooks = nil
	c.refused("no hooks", c.request("SN-0001", newKey(t)), provision.WebhookUnavailable)
}

// P4, B73: while the webhook is asked, what the decision rests on may change.
func TestP4_B73_WhatChangedMeanwhileCounts(t *testing.T) {
	for name, row := range map[string]struct {
		change func(c *counter)
		want   provision.Code
	}{
		"denied":    {func(c *counter) { c.enlist(provision.Deny, provision.Entry{Serial: "SN-0001"}) }, provision.DeniedByList},
		"revoked":   {func(c *counter) { c.put(func(p *provision.Profile) { p.Bootstrap[0].Revoked = true }) }, provision.BootstrapRevoked},
		"disabled":  {func(c *counter) { c.put(func(p *provision.Profile) { p.Disabled = true }) }, provision.ProfileDisabled},
		"key modes": {func(c *counter) { c.put(func(p *provision.Profile) { p.KeyMode = provision.KeyOnServer }) }, provision.KeyNotAllowed},
		"claimed": {func(c *counter) {
			c.put(func(p *provision.Profile) { p.Webhook = nil })
			c.granted(c.request("SN-0001", newKey(c.t)))
		}, provision.AlreadyProvisioned},
	} {
		t.Run(name, func(t *testing.T) {
			var c *counter
			var once atomic.Bool
			c = hooked(t, func(w http.ResponseWriter, _ *http.Request) {
				if !once.Swap(true) {
					row.change(c)
				}
				says(w, `{"decision":"ALLOW"}`)
			})
			before := len(c.devices())
			c.refused(name, c.request("SN-0001", newKey(t)), row.want)
			if n := len(c.devices()) - before; n > 1 || n == 1 && name != "claimed" {
				t.Errorf("%d devices", n)
			}
		})
	}
	// Another webhook is asked anew.
	var asked atomic.Int32
	var c *counter
	c = hooked(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			c.put(func(p *provision.Profile) { p.Metadata = map[string]string{"model": "m2"} })
		}
		says(w, `{"decision":"ALLOW"}`)
	})
	if d := c.device(c.granted(c.request("SN-0001", newKey(t)))); asked.Load() != 2 || d.Metadata["model"] != "m2" {
		t.Errorf("asked %d times, %v", asked.Load(), d.Metadata)
	}
}

// P14: blocked while the webhook is asked is blocked.
func TestP14_BlockedMeanwhile(t *testing.T) {
	var asked atomic.Int32
	var c *counter
	var g *provision.Grant
	c = hooked(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 2 {
			c.block(g, true)
		}
		says(w, `{"decision":"ALLOW"}`)
	})
	c.put(func(p *provision.Profile) { p.Again = provision.AgainReplace })
	g = c.granted(c.request("SN-0001", newKey(t)))
	c.refused("blocked", c.request("SN-0001", newKey(t)), provision.DeviceBlocked)
	if got := c.device(g).Credentials; len(got) != 1 || asked.Load() != 2 {
		t.Errorf("%+v, asked %d times", got, asked.Load())
	}
}
