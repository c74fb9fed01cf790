package httpbridge

import (
	"net/http"
	"testing"

	"iotbridge/gateway"
)

// gateway registers one, to which the devices are bound.
func (s *site) gateway(name string, method gateway.AuthMethod, bound ...*device) *device {
	s.t.Helper()
	g := s.register(&gateway.Device{Key: gateway.DeviceKey{RegistryKey: seed, Device: name}, IsGateway: true, AuthMethod: method})
	for _, d := range bound {
		if err := s.store.Bind(s.t.Context(), "test", seed, name, d.Key.Device); err != nil {
			s.t.Fatal(err)
		}
	}
	return g
}

// Path and token are the gateway's, and the body names the device; or they are the
// device's, and the body names the gateway.
func TestAGatewaySpeaksForItsDevices(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	g := s.gateway("gateway1", gateway.AssociationOnly, d)
	for _, c := range []struct {
		as   *device
		info string
	}{
		{g, `{"delegated_device_id":"device1"}`},
		{g, `{"delegatedDeviceId":"` + d.Num() + `"}`},
		{d, `{"gateway_id":"gateway1"}`},
		{d, `{"gatewayId":"` + g.Num() + `","gatewayAuthMethod":"ASSOCIATION_ONLY"}`},
	} {
		code, body := s.publish(c.as, `{"binaryData":"AAAA","subFolder":"temperature","gatewayInfo":`+c.info+`}`)
		expect(t, c.info, code, body, http.StatusOK, "{}")
		all := s.topics.all()
		last := all[len(all)-1].attributes
		if last["deviceId"] != "device1" || last["deviceNumId"] != d.Num() || last["gatewayId"] != "gateway1" {
			t.Errorf("%s: published as %v", c.info, last)
		}
	}
	code, body := s.publish(g, `{"gatewayInfo":{}}`)
	expect(t, "the gateway itself", code, body, http.StatusOK, "{}")
	all := s.topics.all()
	if own := all[len(all)-1].attributes; own["deviceId"] != "gateway1" || len(own) != 6 {
		t.Errorf("published as %v", own)
	}

	code, body = s.call(g, http.MethodPost, "/v1/"+g.Key.String()+":setState", `{"state":{"binaryData":"b24="},"gatewayInfo":{"delegatedDeviceId":"device1"}}`)
	expect(t, "a state", code, body, http.StatusOK, "{}")
	if states, err := s.store.States(t.Context(), d.Key, 10); err != nil || len(states) != 1 || string(states[0].Data) != "on" {
		t.Errorf("%v, %v", states, err)
	}
	if _, err := s.store.SetConfig(t.Context(), "test", d.Key, 0, []byte("x")); err != nil {
		t.Fatal(err)
	}
	for path, as := range map[string]*device{
		"/config?gatewayInfo.delegatedDeviceId=device1": g, "/config?gateway_info.gateway_id=gateway1": d,
	} {
		code, body := s.call(as, http.MethodGet, "/v1/"+as.Key.String()+path, "")
		expect(t, path, code, body, http.StatusOK, `{"version":"2","binaryData":"eA=="}`)
	}
}

func TestNobodySpeaksForAnUnboundDevice(t *testing.T) {
	s := open(t, nil)
	elsewhere := seed
	elsewhere.Registry = "OtherDevices"
	s.registry(elsewhere)
	s.add(elsewhere, "device9")
	d, other := s.add(seed, "device1"), s.add(seed, "device2")
	g := s.gateway("gateway1", gateway.AssociationOnly, d)
	second := s.gateway("gateway2", gateway.AssociationOnly, other)
	strict := s.gateway("gateway3", gateway.DeviceToken, d)
	for _, c := range []struct {
		what string
		as   *device
		info string
	}{
		{"not bound", g, `{"delegatedDeviceId":"device2"}`},
		{"not bound, by number", g, `{"delegatedDeviceId":"` + other.Num() + `"}`},
		{"another gateway", g, `{"delegatedDeviceId":"gateway2"}`},
		{"itself", g, `{"delegatedDeviceId":"gateway1"}`},
		{"of another registry", g, `{"delegatedDeviceId":"device9"}`},
		{"nobody", g, `{"delegatedDeviceId":"nobody"}`},
		{"outside the grammar", g, `{"delegatedDeviceId":"../devices/device1"}`},
		{"no gateway speaks", other, `{"delegatedDeviceId":"device1"}`},
		{"the device's own token is asked for", strict, `{"delegatedDeviceId":"device1"}`},
		{"through a gateway that it is not bound to", d, `{"gatewayId":"gateway2"}`},
		{"through no gateway", d, `{"gatewayId":"device2"}`},
		{"through itself", second, `{"gatewayId":"gateway2"}`},
		{"through nobody", d, `{"gatewayId":"nobody"}`},
		{"through what is no name", d, `{"gatewayId":"x"}`},
	} {
		code, body := s.publish(c.as, `{"gatewayInfo":`+c.info+`}`)
		expect(t, c.what, code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
	}
	code, body := s.publish(g, `{"gatewayInfo":{"gatewayId":"gateway1","delegatedDeviceId":"device1"}}`)
	expect(t, "both", code, body, http.StatusBadRequest, "INVALID_ARGUMENT")
	if n := len(s.topics.all()); n != 0 {
		t.Errorf("%d events published", n)
	}
	if _, err := s.store.UpdateDevice(t.Context(), "test", g.Key, func(g *gateway.Device) error { g.Blocked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	code, body = s.publish(d, `{"gatewayInfo":{"gatewayId":"gateway1"}}`)
	expect(t, "through a blocked gateway", code, body, http.StatusUnauthorized, "UNAUTHENTICATED")
}
