package devicemanager

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/gateway"
)

func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/v1/projects/p/locations/l/registries", "/v1/projects/p/locations/l/registries/r:setIamPolicy",
		"/v1/projects/p/locations/l/registries/r/devices/a%25b:sendCommandToDevice",
		"/v1/projects/example.com:p/locations/l/registries/r/groups/g/devices/d/states",
		"/v1/projects/p/locations/l/registries/r/devices/..", "/v1/projects/p/locations/l/registries/r%2Fdevices%2Fd",
		"//v1/projects/p/locations/l/registries/r", "/v1/projects/p/locations/l/registries/r/devices/d:", "", ":", "/%zz",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		r, resource := find(method, path)
		if r == nil || resource == "" {
			return
		}
		parts := strings.Split(resource, "/")
		if len(parts) != r.to-r.from {
			t.Fatalf("%q is the resource %q, of %d parts for %d", path, resource, len(parts), r.to-r.from)
		}
		for i, part := range parts {
			if want := r.segments[r.from+i]; part == "" || want != "*" && part != want {
				t.Fatalf("%q is the resource %q, and not %v", path, resource, r.segments)
			}
			parts[i] = url.PathEscape(part)
		}
		again := append(append(append([]string{}, r.segments[:r.from]...), parts...), r.segments[r.to:]...)
		text := "/" + strings.Join(again, "/")
		if r.verb != "" {
			text += ":" + r.verb
		}
		// A colon in the last part would be a verb: no id has one.
		if strings.ContainsRune(parts[len(parts)-1], ':') {
			return
		}
		if same, value := find(method, text); same != r || value != resource {
			t.Fatalf("%q is %q, and spelled anew %q", path, resource, value)
		}
	})
}

// FuzzPatch is a PATCH of a device with any body and any query.
func FuzzPatch(f *testing.F) {
	for body, query := range map[string]string{
		`{"blocked":true,"name":"projects/p/locations/l/registries/other/devices/d"}`: "updateMask=blocked",
		`{"credentials":[{"publicKey":{"format":"ES256_PEM","key":"x"}}]}`:            "updateMask=credentials,metadata&$alt=json%3Benum-encoding%3Dint",
		`{"numId":"1","lastEventTime":"2020-01-01T00:00:00Z","config":{"version":7}}`: "updateMask=numId,config",
		`{"logLevel":40,"gatewayConfig":{"gatewayType":"GATEWAY"}}`:                   "updateMask=logLevel,gatewayConfig.gatewayAuthMethod",
		`[[[[[[`: "device.name=x", `{"metadata":{"a":1}}`: "name=projects", `{"unknown":{"deep":[{}]}}`: "update_mask=metadata", "": "",
	} {
		f.Add([]byte(body), query)
	}
	const resource = "projects/p/locations/l/registries/reg/devices/dev"
	patch, value := find(http.MethodPatch, "/v1/"+resource)
	if patch == nil || value != resource {
		f.Fatal("no route")
	}
	f.Fuzz(func(t *testing.T, body []byte, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		req := &iotpb.UpdateDeviceRequest{}
		err = patch.fill(req, resource, query, body)
		if req.GetDevice().GetName() != resource {
			t.Fatalf("the path's name became %q", req.GetDevice().GetName())
		}
		if err != nil {
			if text := err.Error(); len(text) > 500 || !utf8.ValidString(text) {
				t.Fatalf("an error of %d bytes", len(text))
			}
			return
		}
		fields, err := deviceFields.of(req.GetUpdateMask())
		if err != nil {
			return
		}
		before := gateway.Device{Number: 2577321808646966, Created: time.Unix(1, 0), Config: gateway.Config{Version: 3}}
		after := before
		if changeDevice(&after, req.GetDevice(), fields, nil, time.Unix(1_700_000_000, 0)) != nil {
			return
		}
		if len(after.Credentials) > maxCredentials {
			t.Fatal("too many credentials")
		}
		after.Credentials, after.Blocked, after.Metadata, after.LogLevel, after.AuthMethod = nil, false, nil, 0, 0
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("more was changed than may be: %+v", after)
		}
	})
}

// FuzzMask is a read mask and a device: what is not asked for is not answered.
func FuzzMask(f *testing.F) {
	for _, paths := range []string{"id,num_id", "numId,config.version", "metadata.a", "gatewayConfig", "credentials.public_key", ",", "a..b", "config,config.version"} {
		f.Add(paths)
	}
	all := deviceMessage(&gateway.Device{
		Number: 2577321808646966, Metadata: map[string]string{"a": "b"}, Credentials: []gateway.Credential{{Format: gateway.ES256PEM, PEM: "key"}},
		Config: gateway.Config{Version: 1, Data: []byte("x"), Updated: time.Unix(1, 0)}, State: &gateway.State{Data: []byte("y")},
	})
	f.Fuzz(func(t *testing.T, text string) {
		req := &iotpb.GetDeviceRequest{}
		get, _ := find(http.MethodGet, "/v1/projects/p/locations/l/registries/reg/devices/dev")
		if get.fill(req, "x", url.Values{"fieldMask": {text}}, nil) != nil {
			return
		}
		paths, err := readMask(all, req.GetFieldMask())
		if err != nil || paths == nil {
			return
		}
		m := deviceMessage(&gateway.Device{Metadata: map[string]string{"a": "b"}, Config: gateway.Config{Version: 1, Data: []byte("x")}})
		keep(m.ProtoReflect(), paths)
		asked := strings.Join(paths, ",")
		if (m.GetMetadata() != nil) != strings.Contains(asked, "metadata") || (m.GetConfig() != nil) != strings.Contains(asked, "config") && !strings.Contains(asked, "gateway_config") {
			t.Fatalf("%q asked for %v and got %v", text, paths, m)
		}
	})
}
