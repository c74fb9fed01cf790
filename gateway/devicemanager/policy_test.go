package devicemanager

import (
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/gateway/operators"
)

// The table is held against the service's descriptor and the routes: a method that
// is added to either fails here until somebody decides who may call it.
func TestEveryMethodHasAPolicy(t *testing.T) {
	methods := map[string]bool{}
	for i := range service.Methods().Len() {
		methods[string(service.Methods().Get(i).Name())] = true
	}
	for _, m := range iotpb.DeviceManager_ServiceDesc.Methods {
		if !methods[m.MethodName] {
			t.Errorf("%s is served and not described", m.MethodName)
		}
	}
	if len(iotpb.DeviceManager_ServiceDesc.Streams) > 0 {
		t.Error("streams do not pass the interceptor")
	}
	routed := map[string]bool{}
	for _, r := range routes {
		routed[r.rpc.MethodName] = true
	}
	for m := range methods {
		p, ok := policies[m]
		if !ok {
			t.Errorf("%s has no policy", m)
		}
		if !routed[m] || resources[m] == nil {
			t.Errorf("%s has no route, or no resource", m)
		}
		sees := strings.HasPrefix(m, "Get") || strings.HasPrefix(m, "List") || strings.HasPrefix(m, "Test")
		if want := map[bool]operators.Role{true: operators.Viewer, false: operators.Admin}[sees]; p.role != want {
			t.Errorf("%s is for the role %s, want %s", m, p.role, want)
		}
		if p.permission == "" && m != "TestIamPermissions" {
			t.Errorf("%s has no permission", m)
		}
	}
	for m := range policies {
		if !methods[m] {
			t.Errorf("a policy for %s, which there is not", m)
		}
	}
	if len(methods) != 19 || len(routes) != 31 {
		t.Errorf("%d methods, %d routes", len(methods), len(routes))
	}
}

func TestUnknownPermissionIsNobodys(t *testing.T) {
	for _, p := range []string{"", "cloudiot.devices.*", "*", "cloudiot.devices.Get"} {
		if role := roleFor(p); role != 0 || (operators.Operator{Role: operators.Admin}).May(role, "") {
			t.Errorf("%q takes the role %s", p, role)
		}
	}
}
