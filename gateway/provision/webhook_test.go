package provision

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// P8: only what was asked for, strictly, is an answer.
func TestP8_Answers(t *testing.T) {
	for text, want := range map[string]verdict{
		`{"decision":"ALLOW"}`:                          {Decision: allow},
		`{"decision":"DENY","reason":"a\u0000b\u00e9"}`: {Decision: deny, Reason: "a?b?"},
		`{"decision":"PENDING","retryAfterSeconds":60,"blocked":false,"metadata":{},"deviceId":""}`: {Decision: pending, RetryAfter: time.Minute},
	} {
		got, err := parseAnswer([]byte(text))
		if err != nil || got.Decision != want.Decision || got.Reason != want.Reason || got.RetryAfter != want.RetryAfter {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "null", "[]", `"ALLOW"`, "true", `{}`, `{"decision":""}`, `{"decision":null}`, `{"decision":true}`, `{"decision":["ALLOW"]}`, `{"decision":"allow"}`, `{"decision":"ALLOW "}`,
		`{"Decision":"ALLOW"}`, `{"decision":"DENY","decision":"ALLOW"}`, `{"decision":"ALLOW","DECISION":"DENY"}`, `{"decision":"ALLOW"}{}`, `{"decision":"ALLOW"`, `{"decision":"ALLOW",}`,
		`{"allow":true}`, `{"decision":"ALLOW","allow":"true"}`, `{"decision":"ALLOW","blocked":"false"}`, `{"decision":"ALLOW","blocked":1}`, `{"decision":"ALLOW","deviceId":"../x"}`,
		`{"decision":"ALLOW","deviceId":"1x"}`, `{"decision":"ALLOW","metadata":{"a":1}}`, `{"decision":"ALLOW","metadata":{"a":"1","a":"2"}}`, `{"decision":"ALLOW","retryAfterSeconds":-1}`,
		`{"decision":"ALLOW","retryAfterSeconds":1e99}`, "{\"decision\":\"ALLOW\",\"reason\":\"\xff\"}", `{"decision":"ALLOW"}` + strings.Repeat(" ", maxAnswer),
	} {
		if got, err := parseAnswer([]byte(text)); err == nil {
			t.Errorf("%.60s: %+v", text, got)
		}
	}
}

func FuzzWebhookAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"decision":"ALLOW","reason":"x","deviceId":"plant7","metadata":{"a":"b"},"blocked":true,"retryAfterSeconds":7}`,
		`{"decision":"DENY","decision":"ALLOW"}`, `{"decision":"PENDING"}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := parseAnswer(text)
		switch {
		case err != nil:
			if v != nil {
				t.Fatalf("%+v beside %v", v, err)
			}
		case v.Decision != allow && v.Decision != deny && v.Decision != pending, len(v.Reason) > maxReason, len(v.Metadata) > maxPairs,
			v.RetryAfter < 0, v.RetryAfter > maxRetryAfter, !strings.Contains(string(text), "decision") && !strings.Contains(string(text), `\u`):
			t.Fatalf("%q: %+v", text, v)
		}
	})
}

// P7: which URLs and addresses are asked.
func TestP7_WhereAWebhookMayBe(t *testing.T) {
	for _, url := range []string{"https://example.com/validate", "https://example.com:8443/?a=b", "https://[2606:4700::1]/x", "https://93.184.216.34"} {
		if err := (&Hook{URL: url}).fault(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"", "http://example.com/", "HTTP://example.com", "file:///etc/passwd", "https:///x", "https:example.com", "https://user@example.com/", "https://user:secret@example.com/", "https://example.com/#x",
		"//example.com", "gopher://example.com", "https://{serial}.example.com/", "https://example.com/{serial}", "https://example.com/ x", "https://example.com\\@evil", "https://exa\nmple.com", "unix:///x",
	} {
		err := (&Hook{URL: url}).fault()
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	public := []string{"93.184.216.34", "2606:4700::1", "::ffff:93.184.216.34"}
	private := []string{"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd00::1"}
	neither := []string{
		"169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "fe80::1", "fe80::1%eth0", "64:ff9b::7f00:1",
		"64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "::7f00:1", "fec0::1", "198.18.0.1", "192.0.0.192", "168.63.129.16", "::ffff:0:7f00:1", "::ffff:0:169.254.169.254", "5f00::1", "3fff::1", "100::1", "4000::1",
	}
	for _, h := range []*Hooks{{}, {Private: true}} {
		for _, a := range public {
			if !h.may(netip.MustParseAddr(a)) {
				t.Errorf("%s may not", a)
			}
		}
		for _, a := range private {
			if h.may(netip.MustParseAddr(a)) != h.Private {
				t.Errorf("%s, private %t", a, h.Private)
			}
		}
		for _, a := range neither {
			if h.may(netip.MustParseAddr(a)) {
				t.Errorf("%s may", a)
			}
		}
	}
}

// P7: what a name stands for is looked at when it is dialled, each time.
func TestP7_ANameThatIsAnInsidersAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	reached := make(chan struct{})
	go func() {
		defer close(reached)
		if c, err := listener.Accept(); err == nil {
			c.Close()
			t.Error("it was connected to")
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	h := &Hooks{resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asker, answerer := net.Pipe()
		go resolve(answerer, [4]byte{127, 0, 0, 1})
		return asker, nil
	}}}
	defer h.Close()
	_, err = h.ask(t.Context(), &Hook{Secret: "x", URL: "https://rebound.example.com:" + port + "/"}, &question{}, time.Now())
	if err == nil || !strings.Contains(err.Error(), "a webhook may not be at 127.0.0.1") {
		t.Error(err)
	}
	listener.Close()
	<-reached
}

// resolve answers one question over a stream (RFC 1035, 4.2.2).
func resolve(c net.Conn, address [4]byte) {
	defer c.Close()
	head := make([]byte, 2)
	if _, err := readFull(c, head); err != nil {
		return
	}
	text := make([]byte, int(head[0])<<8|int(head[1]))
	if _, err := readFull(c, text); err != nil {
		return
	}
	var m dnsmessage.Message
	if err := m.Unpack(text); err != nil {
		return
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: address}}}
	}
	packed, err := m.Pack()
	if err != nil {
		return
	}
	c.Write(append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...))
}

func readFull(c net.Conn, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = c.Read(p[n:])
		n += m
	}
	return n, err
}

func TestAQuestionIsSigned(t *testing.T) {
	if _, err := (&Hooks{}).ask(t.Context(), &Hook{URL: "https://192.0.2.1/"}, &question{}, time.Now()); err == nil || !strings.Contains(err.Error(), "no secret") {
		t.Error(err)
	}
}

// P7: no proxy of the environment stands between.
func TestP7_NoProxy(t *testing.T) {
	if (&Hooks{}).http().Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
}
