package devicemanager_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/api/cloudiot/v1"
	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

// TestCloudiot drives every method through the older client, which has the groups'
// variants too.
func TestCloudiot(t *testing.T) {
	b := newBed(t)
	registries := b.cloudiot(t, admin)
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	made, err := registries.Create(location, &cloudiot.DeviceRegistry{
		Id:                       "RaspberryPiDevices",
		EventNotificationConfigs: []*cloudiot.EventNotificationConfig{{PubsubTopicName: "projects/my-project/topics/sensordata"}},
		HttpConfig:               &cloudiot.HttpConfig{HttpEnabledState: "HTTP_DISABLED"},
	}).Do()
	do("create", err)
	if made.Name != seed || made.MqttConfig.MqttEnabledState != "MQTT_ENABLED" || made.HttpConfig.HttpEnabledState != "HTTP_DISABLED" {
		t.Errorf("created: %+v", made)
	}
	got, err := registries.Get(seed).Do()
	do("get", err)
	if len(got.EventNotificationConfigs) != 1 || got.EventNotificationConfigs[0].PubsubTopicName != "projects/my-project/topics/sensordata" {
		t.Errorf("got: %+v", got)
	}
	patched, err := registries.Patch(seed, &cloudiot.DeviceRegistry{LogLevel: "DEBUG"}).UpdateMask("logLevel,eventNotificationConfigs").Do()
	do("patch", err)
	if patched.LogLevel != "DEBUG" || len(patched.EventNotificationConfigs) != 0 || patched.HttpConfig.HttpEnabledState != "HTTP_DISABLED" {
		t.Errorf("patched: %+v", patched)
	}
	list, err := registries.List(location).PageSize(10).Do()
	do("list", err)
	if len(list.DeviceRegistries) != 1 || list.NextPageToken != "" {
		t.Errorf("listed: %+v", list)
	}
	device := cloudiotDevices(t, registries.Devices)
	cloudiotMailbox(t, b, registries.Devices, device)

	_, err = registries.BindDeviceToGateway(seed, &cloudiot.BindDeviceToGatewayRequest{GatewayId: "hub1", DeviceId: "device1"}).Do()
	do("bind", err)
	bound, err := registries.Devices.List(seed).GatewayListOptionsAssociationsGatewayId("hub1").Do()
	do("list", err)
	if len(bound.Devices) != 1 || bound.Devices[0].Id != "device1" {
		t.Errorf("bound: %v", bound.Devices)
	}
	_, err = registries.UnbindDeviceFromGateway(seed, &cloudiot.UnbindDeviceFromGatewayRequest{GatewayId: "hub1", DeviceId: "device1"}).Do()
	do("unbind", err)

	test := &cloudiot.TestIamPermissionsRequest{Permissions: []string{"cloudiot.devices.delete"}}
	permissions, err := registries.TestIamPermissions(seed, test).Do()
	do("permissions", err)
	inGroup, err := registries.Groups.TestIamPermissions(seed+"/groups/any", test).Do()
	do("permissions in a group", err)
	if !slices.Equal(permissions.Permissions, test.Permissions) || !slices.Equal(inGroup.Permissions, test.Permissions) {
		t.Errorf("permissions: %v, %v", permissions.Permissions, inGroup.Permissions)
	}
	_, err = registries.SetIamPolicy(seed, &cloudiot.SetIamPolicyRequest{Policy: &cloudiot.Policy{}}).Do()
	fails(t, "set a policy", err, codes.Unimplemented)
	_, err = registries.GetIamPolicy(seed, &cloudiot.GetIamPolicyRequest{Options: &cloudiot.GetPolicyOptions{RequestedPolicyVersion: 3}}).Do()
	fails(t, "get a policy", err, codes.Unimplemented)
	_, err = registries.Groups.SetIamPolicy(seed+"/groups/any", &cloudiot.SetIamPolicyRequest{}).Do()
	fails(t, "set a group's policy", err, codes.Unimplemented)
	_, err = registries.Groups.GetIamPolicy(seed+"/groups/any", &cloudiot.GetIamPolicyRequest{}).Do()
	fails(t, "get a group's policy", err, codes.Unimplemented)
	grouped, err := registries.Groups.Devices.List(seed + "/groups/any").Do()
	do("list a group's", err)
	if len(grouped.Devices) != 2 {
		t.Errorf("listed in a group: %v", grouped.Devices)
	}

	for _, id := range []string{"hub1", strconv.FormatUint(device.NumId, 10)} {
		_, err = registries.Devices.Delete(seed + "/devices/" + id).Do()
		do("delete a device", err)
	}
	_, err = registries.Delete(seed).Do()
	do("delete", err)
	b.drivenToEnd(t)
}

func cloudiotDevices(t *testing.T, devices *cloudiot.ProjectsLocationsRegistriesDevicesService) *cloudiot.Device {
	key := publicPEM()
	device, err := devices.Create(seed, &cloudiot.Device{
		Id:          "device1",
		Credentials: []*cloudiot.DeviceCredential{{PublicKey: &cloudiot.PublicKeyCredential{Format: "ES256_PEM", Key: key}, ExpirationTime: "1970-01-01T00:00:00Z"}},
		Metadata:    map[string]string{"room": "<script>"},
	}).Do()
	if err != nil {
		t.Fatal(err)
	}
	if device.Credentials[0].ExpirationTime != "1970-01-01T00:00:00Z" || device.Credentials[0].PublicKey.Key != key || device.Config.Version != 1 {
		t.Errorf("created: %+v", device)
	}
	if _, err := devices.Create(seed, &cloudiot.Device{Id: "hub1", GatewayConfig: &cloudiot.GatewayConfig{GatewayType: "GATEWAY"}}).Do(); err != nil {
		t.Fatal(err)
	}
	for _, fields := range []string{"numId,metadata,config.version", "num_id,metadata,config.version"} {
		got, err := devices.Get(seed + "/devices/device1").FieldMask(fields).Do()
		if err != nil {
			t.Fatal(err)
		}
		if got.NumId != device.NumId || got.Id != "" || got.Metadata["room"] != "<script>" || got.Config.Version != 1 || got.Config.CloudUpdateTime != "" {
			t.Errorf("%s: %+v", fields, got)
		}
	}
	got, err := devices.Patch(device.Name, &cloudiot.Device{Blocked: true}).UpdateMask("blocked,gatewayConfig.gatewayAuthMethod").Do()
	if err != nil {
		t.Fatal(err)
	}
	if !got.Blocked || len(got.Credentials) != 1 {
		t.Errorf("patched: %+v", got)
	}
	got, err = devices.Patch(device.Name, &cloudiot.Device{Name: device.Name}).UpdateMask("blocked").Do()
	if err != nil || got.Blocked {
		t.Errorf("unblocked, with a name in the body: %+v, %v", got, err)
	}
	numbers, err := devices.List(seed).DeviceNumIds(device.NumId).FieldMask("blocked,lastEventTime").Do()
	if err != nil || len(numbers.Devices) != 1 || numbers.Devices[0].Id != "device1" {
		t.Errorf("by number: %+v, %v", numbers, err)
	}
	ids, err := devices.List(seed).DeviceIds("hub1", "device1").GatewayListOptionsGatewayType("GATEWAY").PageSize(1).Do()
	if err != nil || len(ids.Devices) != 1 || ids.Devices[0].Id != "hub1" {
		t.Errorf("by name, gateways: %+v, %v", ids, err)
	}
	return device
}

func cloudiotMailbox(t *testing.T, b *bed, devices *cloudiot.ProjectsLocationsRegistriesDevicesService, device *cloudiot.Device) {
	data := []byte{0xfb, 0xff, 0xfe, 0}
	for version, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		config, err := devices.ModifyCloudToDeviceConfig(device.Name, &cloudiot.ModifyCloudToDeviceConfigRequest{
			BinaryData: encoding.EncodeToString(data), VersionToUpdate: int64(version + 1),
		}).Do()
		if err != nil {
			t.Fatal(err)
		}
		if config.Version != int64(version+2) || config.BinaryData != base64.StdEncoding.EncodeToString(data) {
			t.Errorf("config: %+v", config)
		}
	}
	versions, err := devices.ConfigVersions.List(device.Name).NumVersions(3).Do()
	if err != nil || len(versions.DeviceConfigs) != 3 || versions.DeviceConfigs[0].Version != 4 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	if err := b.store.SetState(t.Context(), device.NumId, data, time.Now()); err != nil {
		t.Fatal(err)
	}
	states, err := devices.States.List(device.Name).Do()
	if err != nil || len(states.DeviceStates) != 1 || states.DeviceStates[0].BinaryData != base64.StdEncoding.EncodeToString(data) {
		t.Errorf("states: %+v, %v", states, err)
	}
	command := &cloudiot.SendCommandToDeviceRequest{BinaryData: base64.StdEncoding.EncodeToString(data)}
	_, err = devices.SendCommandToDevice(device.Name, command).Do()
	fails(t, "not connected", err, codes.FailedPrecondition)
	b.connect(t, device.NumId, func(c gateway.Command) error {
		if string(c.Data) != string(data) || c.SubFolder != "" {
			return fmt.Errorf("the device got %+v", c)
		}
		return nil
	})
	if _, err := devices.SendCommandToDevice(device.Name, command).Do(); err != nil {
		t.Error(err)
	}
}
