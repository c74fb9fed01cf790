package devicemanager_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"iotbridge/gateway"
)

// endpoint is one of the service's HTTP rules, with the registry put in.
type endpoint struct {
	rpc, method, path, body string
	sees                    bool // a viewer may
}

// endpoints are generated from the descriptor, as a client's would be.
func endpoints(registry, device string) (all []endpoint) {
	methods := iotpb.File_google_cloud_iot_v1_device_manager_proto.Services().Get(0).Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			e := endpoint{rpc: string(m.Name())}
			for method, path := range map[string]string{http.MethodGet: r.GetGet(), http.MethodPost: r.GetPost(), http.MethodPatch: r.GetPatch(), http.MethodDelete: r.GetDelete()} {
				if path != "" {
					e.method, e.path = method, path
				}
			}
			for _, name := range []string{"name=", "device_registry.", "device.", "parent=", "resource=", "{", "}"} {
				e.path = strings.ReplaceAll(e.path, name, "")
			}
			for _, name := range []string{"my-project", "us-central1", registry} {
				e.path = strings.Replace(e.path, "*", name, 1)
			}
			e.path = strings.Replace(e.path, "groups/*", "groups/any", 1)
			e.path = strings.Replace(e.path, "*", device, 1)
			if e.method == http.MethodPost || e.method == http.MethodPatch {
				e.body = "{}"
			}
			e.sees = strings.HasPrefix(e.rpc, "Get") || strings.HasPrefix(e.rpc, "List") || strings.HasPrefix(e.rpc, "Test")
			all = append(all, e)
		}
	}
	return all
}

// populate makes both registries with a device each, and returns the devices' numbers.
func populate(t testing.TB, b *bed) (mine, theirs *gateway.Device) {
	t.Helper()
	made := map[string]*gateway.Device{}
	for _, registry := range []string{"RaspberryPiDevices", "OtherDevices"} {
		key := gateway.RegistryKey{Project: "my-project", Location: "us-central1", Registry: registry}
		if _, err := b.store.CreateRegistry(t.Context(), "test", &gateway.Registry{Key: key, MQTT: true, HTTP: true}); err != nil {
			t.Fatal(err)
		}
		d, err := b.store.CreateDevice(t.Context(), "test", &gateway.Device{Key: gateway.DeviceKey{RegistryKey: key, Device: "device1"}})
		if err != nil {
			t.Fatal(err)
		}
		made[registry] = d
	}
	return made["RaspberryPiDevices"], made["OtherDevices"]
}

// audits counts what operators have done.
func (b *bed) audits(t testing.TB) (n int) {
	t.Helper()
	list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Action != "denied" {
			n++
		}
	}
	return n
}

func TestR1_NoCredentialNoAnswer(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	before := b.audits(t)
	clients := map[string]*http.Client{
		"none": b.http(t, ""), "wrong token": b.http(t, "the token of nobody"), "a hash for a token": b.http(t, strings.Repeat("0", 64)),
		"a long token": b.http(t, strings.Repeat("x", 5000)), "viewer": b.http(t, viewer),
		"a certificate of a token's operator": b.http(t, "", b.ca.issue("ada")), "a certificate of nobody": b.http(t, "", b.ca.issue("nobody")),
		"a wrong token with a good certificate": b.http(t, "the token of nobody", b.ca.issue("prober")),
	}
	others := []endpoint{{"none", http.MethodGet, "/", "", false}, {"none", http.MethodGet, "/metrics", "", false}, {"none", http.MethodPost, "/v1/projects", "{}", false}}
	for who, c := range clients {
		for _, e := range append(endpoints("RaspberryPiDevices", "device1"), others...) {
			req, err := http.NewRequestWithContext(t.Context(), e.method, b.url+e.path, strings.NewReader(e.body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := resp.StatusCode != http.StatusOK && resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == "Bearer"
			switch {
			case who == "viewer" && e.rpc == "none":
				want = resp.StatusCode == http.StatusNotFound
			case who == "viewer" && e.sees:
				want = resp.StatusCode == http.StatusOK || e.rpc == "GetIamPolicy" && resp.StatusCode == http.StatusNotImplemented
			case who == "viewer":
				want = resp.StatusCode == http.StatusForbidden
			}
			if !want {
				t.Errorf("%s, %s %s: %d", who, e.method, e.path, resp.StatusCode)
			}
		}
	}
	if n := b.audits(t) - before; n != 0 {
		t.Errorf("%d things were done", n)
	}
}

func TestR1_NoCredentialNoCall(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	before := b.audits(t)
	for who, conn := range map[string]*grpc.ClientConn{
		"none": b.dial(t, ""), "wrong token": b.dial(t, "the token of nobody"), "viewer": b.dial(t, viewer), "a certificate": b.dial(t, "", b.ca.issue("prober")),
	} {
		for _, m := range iotpb.DeviceManager_ServiceDesc.Methods {
			code := status.Code(conn.Invoke(t.Context(), "/google.cloud.iot.v1.DeviceManager/"+m.MethodName, request(t, m.MethodName), response(t, m.MethodName)))
			sees := strings.HasPrefix(m.MethodName, "Get") || strings.HasPrefix(m.MethodName, "List") || strings.HasPrefix(m.MethodName, "Test")
			var want bool
			switch {
			case who == "none" || who == "wrong token":
				want = code == codes.Unauthenticated
			case sees: // an empty request names nothing
				want = code == codes.InvalidArgument || code == codes.Unimplemented
			default:
				want = code == codes.PermissionDenied
			}
			if !want {
				t.Errorf("%s, %s: %s", who, m.MethodName, code)
			}
		}
	}
	if n := b.audits(t) - before; n != 0 {
		t.Errorf("%d things were done", n)
	}
}

// request and response are a method's messages, empty.
func request(t *testing.T, method string) proto.Message  { return message(t, method, true) }
func response(t *testing.T, method string) proto.Message { return message(t, method, false) }

func message(t *testing.T, method string, input bool) proto.Message {
	m := iotpb.File_google_cloud_iot_v1_device_manager_proto.Services().Get(0).Methods().ByName(protoreflect.Name(method))
	name := m.Output().FullName()
	if input {
		name = m.Input().FullName()
	}
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return kind.New().Interface()
}

func TestCertificates(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	get := &iotpb.GetDeviceRegistryRequest{Name: seed}
	prober := b.overGRPC(t, "", b.ca.issue("prober"))
	if _, err := prober.GetDeviceRegistry(t.Context(), get); err != nil {
		t.Error(err)
	}
	if code, text, _ := b.do(t, "", http.MethodGet, "/v1/"+seed, "", b.ca.issue("prober")); code != http.StatusOK {
		t.Errorf("over REST: %d %s", code, text)
	}
	fails(t, "a viewer deletes", prober.DeleteDeviceRegistry(t.Context(), &iotpb.DeleteDeviceRegistryRequest{Name: seed}), codes.PermissionDenied)
	foreign := newAuthority("another").issue("prober")
	config := b.clientTLS()
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign, nil }
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	if resp, err := (&http.Client{Transport: transport}).Get(b.url + "/v1/" + seed); err == nil {
		t.Errorf("a certificate of another authority got through TLS: %s", resp.Status)
		resp.Body.Close()
	}
	// A browser that has the certificate and shows a page of another origin.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/"+seed+":testIamPermissions", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := b.http(t, "", b.ca.issue("prober")).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("cross-site: %d, %v", resp.StatusCode, resp.Header)
	}
}

func TestR2_WhoHasOneRegistryHasNoOther(t *testing.T) {
	b := newBed(t)
	mine, theirs := populate(t, b)
	before := b.audits(t)
	for _, e := range endpoints("OtherDevices", theirs.Num()) {
		if e.rpc == "CreateDeviceRegistry" || e.rpc == "ListDeviceRegistries" {
			e.path += "?" // above both registries
		}
		if code, text, _ := b.do(t, plant, e.method, e.path, e.body); code != http.StatusForbidden || strings.Contains(text, theirs.Num()) {
			t.Errorf("%s %s: %d %s", e.method, e.path, code, text)
		}
	}
	// The number of their device in my registry's name, and in my requests.
	for _, e := range endpoints("RaspberryPiDevices", theirs.Num()) {
		if !strings.Contains(e.path, theirs.Num()) {
			continue
		}
		if e.rpc == "UpdateDevice" {
			e.path += "?updateMask=blocked"
		}
		if code, text, _ := b.do(t, plant, e.method, e.path, e.body); code != http.StatusNotFound {
			t.Errorf("%s %s: %d %s", e.method, e.path, code, text)
		}
	}
	bind := fmt.Sprintf(`{"gatewayId":"device1","deviceId":%q}`, theirs.Num())
	if code, text, _ := b.do(t, plant, http.MethodPost, "/v1/"+seed+":bindDeviceToGateway", bind); code != http.StatusNotFound {
		t.Errorf("bound to mine: %d %s", code, text)
	}
	code, text, _ := b.do(t, plant, http.MethodGet, "/v1/"+seed+"/devices?deviceNumIds="+theirs.Num(), "")
	if code != http.StatusOK || strings.Contains(text, theirs.Num()) {
		t.Errorf("listed with mine: %d %s", code, text)
	}
	theirName := other + "/devices/device1"
	for path, body := range map[string]string{
		"/v1/" + seed + "/devices/device1?updateMask=blocked&device.name=" + theirName: `{"blocked":true}`,
		"/v1/" + seed + "/devices/device1?updateMask=blocked&name=" + theirName:        `{"blocked":true}`,
		"/v1/" + seed + "%2f..%2fOtherDevices/devices/device1?updateMask=blocked":      `{"blocked":true}`,
		"/v1/" + seed + "/../OtherDevices/devices/device1?updateMask=blocked":          `{"blocked":true}`,
	} {
		if code, text, _ := b.do(t, plant, http.MethodPatch, path, body); code < 400 || code >= 500 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if n := b.audits(t) - before; n != 0 {
		t.Errorf("%d things were done", n)
	}
	// What the path says counts, whatever name the body has.
	if code, text, _ := b.do(t, plant, http.MethodPatch, "/v1/"+seed+"/devices/device1?updateMask=blocked", `{"name":"`+theirName+`","blocked":true}`); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
	for d, blocked := range map[*gateway.Device]bool{mine: true, theirs: false} {
		if got, err := b.store.Device(t.Context(), d.Key); err != nil || got.Blocked != blocked {
			t.Errorf("%s: %+v, %v", d.Key, got, err)
		}
	}
	permissions := `{"permissions":["cloudiot.devices.get"]}`
	if code, text, _ := b.do(t, plant, http.MethodPost, "/v1/"+seed+":testIamPermissions", permissions); code != http.StatusOK || !strings.Contains(text, "cloudiot.devices.get") {
		t.Errorf("permissions in mine: %d %s", code, text)
	}
}

func TestR9_NothingElseIsServed(t *testing.T) {
	b := newBed(t)
	for _, path := range []string{"/", "/metrics", "/healthz", "/debug/pprof/", "/debug/vars", "/v1", "/v1/", "/v1/projects", "/$discovery/rest", "/v1beta1/" + seed, "//v1/" + seed} {
		for token, want := range map[string]int{"": http.StatusUnauthorized, admin: http.StatusNotFound} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodTrace} {
				if code, text, _ := b.do(t, token, method, path, ""); code != want {
					t.Errorf("%s %s with %q: %d %s", method, path, token, code, text)
				}
			}
		}
	}
	g := b.GRPC()
	defer g.Stop()
	if services := g.GetServiceInfo(); len(services) != 1 {
		t.Errorf("%d services", len(services))
	}
	err := b.dial(t, admin).Invoke(t.Context(), "/grpc.health.v1.Health/Check", &iotpb.GetDeviceRequest{}, &iotpb.Device{})
	fails(t, "another service", err, codes.Unimplemented)
}
