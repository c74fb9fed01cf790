package httpbridge

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
)

// J12, R2: who is not this device learns nothing, not even whether there is one.
func TestJ12_R2_AllRefusalsAreAlike(t *testing.T) {
	s := open(t, nil)
	elsewhere := seed
	elsewhere.Registry = "OtherDevices"
	s.registry(elsewhere)
	mine, other, foreign, blocked := s.add(seed, "device1"), s.add(seed, "device2"), s.add(elsewhere, "device1"), s.add(seed, "blocked1")
	if _, err := s.store.UpdateDevice(t.Context(), "test", blocked.Key, func(d *gateway.Device) error { d.Blocked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	bearer := func(token string) []string { return []string{"Authorization", "Bearer " + token} }
	now := time.Now()
	var first string
	for _, c := range []struct {
		what    string
		path    gateway.DeviceKey
		headers []string
	}{
		{"another device's token", mine.Key, bearer(other.token())},
		{"the same name in another registry", mine.Key, bearer(foreign.token())},
		{"a blocked device", blocked.Key, bearer(blocked.token())},
		{"an unknown device", gateway.DeviceKey{RegistryKey: seed, Device: "nobody"}, bearer(mine.token())},
		{"an unknown registry", gateway.DeviceKey{RegistryKey: gateway.RegistryKey{Project: "project-1", Location: "us-central1", Registry: "none"}, Device: "device1"}, bearer(mine.token())},
		{"an unknown project", gateway.DeviceKey{RegistryKey: gateway.RegistryKey{Project: "project-2", Location: "us-central1", Registry: seed.Registry}, Device: "device1"}, bearer(mine.token("aud", "project-2"))},
		{"outside the grammar", gateway.DeviceKey{RegistryKey: seed, Device: "x"}, bearer(mine.token())},
		{"no name", gateway.DeviceKey{RegistryKey: seed, Device: ""}, bearer(mine.token())},
		{"a long name", gateway.DeviceKey{RegistryKey: seed, Device: strings.Repeat("x", 9000)}, bearer(mine.token())},
		{"no token", mine.Key, nil},
		{"an empty one", mine.Key, bearer("")},
		{"no token at all", mine.Key, bearer("x.y.z")},
		{"an expired one", mine.Key, bearer(mine.token("iat", now.Add(-2*time.Hour).Unix(), "exp", now.Add(-time.Hour).Unix()))},
		{"for another project", mine.Key, bearer(mine.token("aud", "project-2"))},
		{"one of 9 KB", mine.Key, bearer(mine.token("x", strings.Repeat("x", 6000)))},
		{"another scheme", mine.Key, []string{"Authorization", "Basic " + mine.token()}},
		{"no scheme", mine.Key, []string{"Authorization", mine.token()}},
		{"two headers", mine.Key, append(bearer(mine.token()), bearer(mine.token())...)},
		{"as a parameter", gateway.DeviceKey{RegistryKey: seed, Device: "device1"}, []string{"Jwt", mine.token()}},
	} {
		for _, ask := range []struct{ method, suffix string }{{http.MethodPost, ":publishEvent"}, {http.MethodPost, ":setState"}, {http.MethodGet, "/config"}} {
			code, body := s.call(nil, ask.method, "/v1/"+c.path.String()+ask.suffix, `{"state":{}}`, c.headers...)
			expect(t, c.what, code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
			if first == "" {
				first = body
			}
			if body != first {
				t.Errorf("%s%s: %s differs from %s", c.what, ask.suffix, body, first)
			}
		}
	}
	if n := len(s.topics.all()); n != 0 {
		t.Errorf("%d events published", n)
	}
	// The scheme is not case sensitive, RFC 9110.
	code, body := s.call(nil, http.MethodPost, "/v1/"+mine.Key.String()+":publishEvent", `{}`, "Authorization", "bearer "+mine.token())
	expect(t, "bearer", code, body, http.StatusOK, "{}")
}

func TestARegistryWithoutHTTP(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	if _, err := s.store.UpdateRegistry(t.Context(), "test", seed, func(r *gateway.Registry) error { r.HTTP = false; return nil }); err != nil {
		t.Fatal(err)
	}
	code, body := s.publish(d, `{}`)
	expect(t, "MQTT only", code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
}

func TestTheStoreIsDown(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	code, body := s.publish(d, `{}`)
	expect(t, "our fault", code, body, http.StatusServiceUnavailable, "UNAVAILABLE")
}

// Paths are neither cleaned nor redirected: what is not a route is nothing.
func TestHostilePaths(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	k := d.Key.String()
	for _, c := range []struct{ method, path string }{
		{"GET", "/"},
		{"POST", "/v1/" + k},
		{"GET", "/v1/" + k},
		{"POST", "/v1/" + k + "/config"},
		{"GET", "/v1/" + k + ":publishEvent"},
		{"PUT", "/v1/" + k + ":publishEvent"},
		{"HEAD", "/v1/" + k + "/config"},
		{"POST", "/v1/" + k + ":publishevent"},
		{"POST", "/v1/" + k + ":publishEvent/"},
		{"POST", "/v1/" + k + ":publishEvent:setState"},
		{"POST", "/v1/" + k + ":config"},
		{"GET", "/v1/" + k + "/config/"},
		{"GET", "/v1/" + k + "/Config"},
		{"POST", "//v1/" + k + ":publishEvent"},
		{"POST", "/v1//" + k + ":publishEvent"},
		{"POST", "/v1/x/../" + k + ":publishEvent"},
		{"POST", "/v2/" + k + ":publishEvent"},
		{"POST", "/v1/" + strings.ReplaceAll(k, "/", "%2F") + ":publishEvent"},
		{"POST", "/v1/" + k + "%2F..%2Fdevice2/x:publishEvent"},
		{"GET", "/v1/" + strings.Replace(k, "devices", "groups", 1) + "/config"},
		{"POST", "/debug/pprof/"},
		{"GET", "/metrics"},
		{"OPTIONS", "/v1/" + k + ":publishEvent"},
	} {
		code, body := s.call(d, c.method, c.path, `{}`)
		if c.method == "HEAD" {
			if code != http.StatusNotFound {
				t.Errorf("HEAD: %d", code)
			}
			continue
		}
		expect(t, c.method+" "+c.path, code, body, http.StatusNotFound, "NOT_FOUND")
	}
	// An escaped slash is a part of a name, and no name has one.
	code, body := s.call(d, http.MethodPost, "/v1/"+seed.String()+"/devices/x%2Fdevice1:publishEvent", `{}`)
	expect(t, "an escaped slash", code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
	if n := len(s.topics.all()); n != 0 {
		t.Errorf("%d events published", n)
	}
}

// What is no HTTP is refused by the server, and it goes on.
func TestHostileRequests(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	head := "POST /v1/" + d.Key.String() + ":publishEvent HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + d.token() + "\r\n"
	for _, c := range []struct{ what, text string }{
		{"a bad escape", "POST /v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"a NUL", "POST /v1/\x00 HTTP/1.1\r\nHost: x\r\n\r\n"},
		{"two lengths", head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
		{"a length below 0", head + "Content-Length: -2\r\n\r\n{}"},
		{"a long head", head + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"},
		{"a length that cannot be", head + "Content-Length: 999999999999\r\n\r\n{}"},
		{"chunks that are none", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"},
		{"length and chunks", head + "Content-Length: 2\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
		{"no host", strings.Replace(head, "Host: x\r\n", "", 1) + "Content-Length: 2\r\n\r\n{}"},
	} {
		c2, err := tls.Dial("tcp", s.address, clientTLS())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c2, c.text)
		c2.CloseWrite()
		res, err := http.ReadResponse(bufio.NewReader(c2), nil)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			if res.StatusCode < 400 || res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented {
				t.Errorf("%s: %s", c.what, res.Status)
			}
		}
		c2.Close()
	}
	if n := len(s.topics.all()); n != 0 {
		t.Errorf("%d events published", n)
	}
	code, body := s.publish(d, `{}`)
	expect(t, "after all", code, body, http.StatusOK, "{}")
}

func TestHostileBodies(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	for _, body := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}{}`, `{"binaryData":"AAAA","binary_data":"AAAA"}`, `{"binaryData":"AAAA","binaryData":"AAAA"}`,
		`{"binaryData":1}`, `{"binaryData":["AAAA"]}`, `{"binaryData":"A"}`, `{"binaryData":"+_AA"}`, `{"binaryData":"AA*A"}`,
		`{"subFolder":1}`, "{\"subFolder\":\"\xff\"}", `{"x":NaN}`, `{"x":` + strings.Repeat("[", 400_000) + strings.Repeat("]", 400_000) + `}`,
		`{"gatewayInfo":1}`, strings.Repeat(" ", maxBody) + `{}`,
	} {
		code, answer := s.publish(d, body)
		expect(t, body[:min(len(body), 60)], code, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
		if strings.Contains(answer, "AAAA") {
			t.Errorf("the payload is told: %s", answer)
		}
	}
	if n := len(s.topics.all()); n != 0 {
		t.Errorf("%d events published", n)
	}
}

func TestM19_OnlyTLS12AndLater(t *testing.T) {
	s := open(t, nil)
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		config := clientTLS()
		config.MinVersion, config.MaxVersion = version, version
		c, err := tls.Dial("tcp", s.address, config)
		if (err == nil) != (version >= tls.VersionTLS12) {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			c.Close()
		}
	}
}
