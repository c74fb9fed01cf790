package devicemanager_test

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

func (g *gapic) mailbox(t *testing.T, device *iotpb.Device) {
	data := []byte{0xff, 0xfe, 0x3e, 0x3f}
	made, err := g.c.ModifyCloudToDeviceConfig(t.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{Name: device.GetName(), BinaryData: data, VersionToUpdate: 1})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "config", made, &iotpb.DeviceConfig{Version: 2, BinaryData: data, CloudUpdateTime: made.GetCloudUpdateTime()})
	_, err = g.c.ModifyCloudToDeviceConfig(t.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{Name: device.GetName(), BinaryData: data, VersionToUpdate: 1})
	fails(t, "the version is gone", err, codes.FailedPrecondition)
	if err := g.store.ConfigAcked(t.Context(), device.GetNumId(), 2, time.Now()); err != nil {
		t.Fatal(err)
	}
	versions, err := g.c.ListDeviceConfigVersions(t.Context(), &iotpb.ListDeviceConfigVersionsRequest{Name: device.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	if got := versions.GetDeviceConfigs(); len(got) != 2 || got[0].GetVersion() != 2 || got[0].GetDeviceAckTime() == nil || got[1].GetDeviceAckTime() != nil {
		t.Errorf("versions: %v", got)
	}
	for i := range 3 {
		if err := g.store.SetState(t.Context(), device.GetNumId(), []byte{byte(i)}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	states, err := g.c.ListDeviceStates(t.Context(), &iotpb.ListDeviceStatesRequest{Name: device.GetName(), NumStates: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := states.GetDeviceStates(); len(got) != 2 || !bytes.Equal(got[0].GetBinaryData(), []byte{2}) || got[0].GetUpdateTime() == nil {
		t.Errorf("states: %v", got)
	}
	g.commands(t, device)
}

func (g *gapic) commands(t *testing.T, device *iotpb.Device) {
	req := &iotpb.SendCommandToDeviceRequest{Name: seed + "/devices/device1", BinaryData: []byte("blink"), Subfolder: "led/red"}
	_, err := g.c.SendCommandToDevice(t.Context(), req)
	fails(t, "not connected", err, codes.FailedPrecondition)
	var got gateway.Command
	subscribed := true
	g.connect(t, device.GetNumId(), func(c gateway.Command) error {
		got = c
		if !subscribed {
			return gateway.ErrNotConnected
		}
		return nil
	})
	if _, err := g.c.SendCommandToDevice(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if got.Device != device.GetNumId() || got.SubFolder != "led/red" || string(got.Data) != "blink" {
		t.Errorf("the device got %+v", got)
	}
	subscribed = false
	_, err = g.c.SendCommandToDevice(t.Context(), req)
	fails(t, "not subscribed", err, codes.FailedPrecondition)
	for _, folder := range []string{"a/+", "#", "/a", "a//b", "a\x00", string(bytes.Repeat([]byte("a"), 257))} {
		req.Subfolder = folder
		_, err := g.c.SendCommandToDevice(t.Context(), req)
		fails(t, "subfolder "+folder, err, codes.InvalidArgument)
	}
}

func (g *gapic) gateways(t *testing.T, device *iotpb.Device) {
	bind := &iotpb.BindDeviceToGatewayRequest{Parent: seed, GatewayId: "hub0", DeviceId: strconv.FormatUint(device.GetNumId(), 10)}
	if _, err := g.c.BindDeviceToGateway(t.Context(), bind); err != nil {
		t.Fatal(err)
	}
	_, err := g.c.BindDeviceToGateway(t.Context(), bind)
	fails(t, "bound already", err, codes.AlreadyExists)
	bound := &iotpb.GatewayListOptions{Filter: &iotpb.GatewayListOptions_AssociationsGatewayId{AssociationsGatewayId: "hub0"}}
	if got := names(t, g.c, &iotpb.ListDevicesRequest{Parent: seed, GatewayListOptions: bound}); !slices.Equal(got, []string{"device1"}) {
		t.Errorf("bound to the gateway: %v", got)
	}
	of := &iotpb.GatewayListOptions{Filter: &iotpb.GatewayListOptions_AssociationsDeviceId{AssociationsDeviceId: "device1"}}
	if got := names(t, g.c, &iotpb.ListDevicesRequest{Parent: seed, GatewayListOptions: of}); !slices.Equal(got, []string{"hub0"}) {
		t.Errorf("gateways of the device: %v", got)
	}
	fails(t, "a gateway with devices", g.c.DeleteDevice(t.Context(), &iotpb.DeleteDeviceRequest{Name: seed + "/devices/hub0"}), codes.FailedPrecondition)
	unbind := &iotpb.UnbindDeviceFromGatewayRequest{Parent: seed, GatewayId: "hub0", DeviceId: "device1"}
	if _, err := g.c.UnbindDeviceFromGateway(t.Context(), unbind); err != nil {
		t.Fatal(err)
	}
	_, err = g.c.UnbindDeviceFromGateway(t.Context(), unbind)
	fails(t, "not bound", err, codes.NotFound)
	updated, err := g.c.UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
		Device:     &iotpb.Device{Name: seed + "/devices/hub0", GatewayConfig: &iotpb.GatewayConfig{GatewayAuthMethod: iotpb.GatewayAuthMethod_DEVICE_AUTH_TOKEN_ONLY}},
		UpdateMask: mask("gateway_config.gateway_auth_method"),
	})
	if err != nil || updated.GetGatewayConfig().GetGatewayAuthMethod() != iotpb.GatewayAuthMethod_DEVICE_AUTH_TOKEN_ONLY {
		t.Errorf("authentication method: %v, %v", updated, err)
	}
}

func (g *gapic) policies(t *testing.T) {
	_, err := g.c.SetIamPolicy(t.Context(), &iampb.SetIamPolicyRequest{Resource: seed, Policy: &iampb.Policy{}})
	fails(t, "set a policy", err, codes.Unimplemented)
	_, err = g.c.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: seed})
	fails(t, "get a policy", err, codes.Unimplemented)
	asked := []string{"cloudiot.devices.create", "cloudiot.registries.get", "cloudiot.registries.dance"}
	got, err := g.c.TestIamPermissions(t.Context(), &iampb.TestIamPermissionsRequest{Resource: seed, Permissions: asked})
	if err != nil || !slices.Equal(got.GetPermissions(), asked[:2]) {
		t.Errorf("permissions of an admin: %v, %v", got, err)
	}
	as := g.overREST(t, viewer)
	got, err = as.TestIamPermissions(t.Context(), &iampb.TestIamPermissionsRequest{Resource: seed, Permissions: asked})
	if err != nil || !slices.Equal(got.GetPermissions(), asked[1:2]) {
		t.Errorf("permissions of a viewer: %v, %v", got, err)
	}
}

func (g *gapic) deletes(t *testing.T, device *iotpb.Device) {
	fails(t, "a registry with devices", g.c.DeleteDeviceRegistry(t.Context(), &iotpb.DeleteDeviceRegistryRequest{Name: seed}), codes.FailedPrecondition)
	ids := names(t, g.c, &iotpb.ListDevicesRequest{Parent: seed})
	for _, id := range ids[1:] {
		if err := g.c.DeleteDevice(t.Context(), &iotpb.DeleteDeviceRequest{Name: seed + "/devices/" + id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.c.DeleteDevice(t.Context(), &iotpb.DeleteDeviceRequest{Name: device.GetName()}); err != nil {
		t.Fatal(err)
	}
	_, err := g.c.GetDevice(t.Context(), &iotpb.GetDeviceRequest{Name: device.GetName()})
	fails(t, "a device that is gone", err, codes.NotFound)
	if err := g.c.DeleteDeviceRegistry(t.Context(), &iotpb.DeleteDeviceRegistryRequest{Name: seed}); err != nil {
		t.Fatal(err)
	}
	_, err = g.c.GetDeviceRegistry(t.Context(), &iotpb.GetDeviceRegistryRequest{Name: seed})
	fails(t, "a registry that is gone", err, codes.NotFound)
}
