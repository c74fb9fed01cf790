package httpbridge

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// fuzzed is a bridge behind which only what may pass arrives.
type fuzzed struct {
	t     *testing.T
	known gateway.DeviceKey
	said  int // events and states
}

func (f *fuzzed) Admit(_ context.Context, a gateway.Attempt) (*gateway.Admission, error) {
	if a.Key != f.known || string(a.Token) != "token" {
		return nil, &gateway.Refusal{Reason: gateway.UnknownDevice}
	}
	return &gateway.Admission{Device: &gateway.Device{Key: a.Key}}, nil
}

func (f *fuzzed) Telemetry(_ *gateway.Admission, subFolder string, data []byte, done func(error)) {
	f.said++
	switch {
	case len(data) > gateway.MaxTelemetry:
		done(gateway.ErrTooLarge)
	case subFolder != "" && !schema.ValidSubFolder(subFolder):
		done(gateway.ErrSubFolder)
	default:
		done(nil)
	}
}

func (f *fuzzed) Attach(context.Context, *gateway.Admission, string, []byte) (*gateway.Admission, error) {
	return nil, &gateway.Refusal{Reason: gateway.NotAGateway}
}

func (f *fuzzed) Device(context.Context, gateway.DeviceKey) (*gateway.Device, error) {
	return nil, gateway.ErrNotFound
}

func (f *fuzzed) Bound(context.Context, uint64, uint64) (bool, error) { return true, nil }

func (f *fuzzed) SetState(context.Context, *gateway.Admission, []byte) error { f.said++; return nil }
func (f *fuzzed) Note(gateway.Sign)                                          {}

func (f *fuzzed) Config(context.Context, uint64) (gateway.Config, error) {
	return gateway.Config{Version: 2, Data: []byte("x")}, nil
}

// FuzzRequest: whatever is asked, the answer is JSON of a known code, and nobody
// speaks for a device but with its token.
func FuzzRequest(f *testing.F) {
	known := gateway.DeviceKey{RegistryKey: seed, Device: "device1"}
	f.Add("POST", "/v1/"+known.String()+":publishEvent", "Bearer token", "", []byte(`{"binaryData":"AAAA","subFolder":"temperature"}`))
	f.Add("POST", "/v1/"+known.String()+":setState", "Bearer token", "", []byte(`{"state":{"binary_data":"-_8"}}`))
	f.Add("GET", "/v1/"+known.String()+"/config?local_version=2", "Bearer token", "", []byte(nil))
	f.Add("GET", "/v1/"+known.String()+"/config?localVersion=-9223372036854775808", "bearer  token", "gzip", []byte(nil))
	f.Add("POST", "/v1/"+strings.ReplaceAll(known.String(), "/", "%2F")+":publishEvent", "Basic x", "br", []byte(`{`))
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	w.Write([]byte(`{}`))
	w.Close()
	f.Add("POST", "/v1/"+known.String()+"%3ApublishEvent", "Bearer token", "gzip", zipped.Bytes())
	f.Fuzz(func(t *testing.T, method, target, authorization, encoding string, body []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // the server has refused it
		}
		bridge := &fuzzed{t: t, known: known}
		s := &Server{Bridge: bridge, Mailbox: bridge, Directory: bridge}
		s.defaults()
		r := &http.Request{
			Method: method, URL: u, Header: http.Header{"Authorization": {authorization}, "Content-Encoding": {encoding}},
			Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), RemoteAddr: "192.0.2.1:1",
		}
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		switch rec.Code {
		case 200, 400, 401, 404:
		default:
			t.Errorf("%s %s: %d", method, target, rec.Code)
		}
		if !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%s %s: %q is no JSON", method, target, rec.Body)
		}
		scheme, token, _ := strings.Cut(authorization, " ")
		if (!strings.EqualFold(scheme, "bearer") || strings.TrimLeft(token, " ") != "token") && (bridge.said > 0 || rec.Code == 200) {
			t.Errorf("%s %s was taken without the token", method, target)
		}
		if rec.Code == 200 && !strings.Contains(target, "device") && !strings.Contains(target, "%") {
			t.Errorf("%s was taken for a device", target)
		}
	})
}
