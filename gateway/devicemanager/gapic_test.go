package devicemanager_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// TestStockClients drives every method through Google's own client, over gRPC and
// over REST.
func TestStockClients(t *testing.T) {
	for name, open := range map[string]func(*bed, *testing.T) *iot.DeviceManagerClient{
		"gRPC": func(b *bed, t *testing.T) *iot.DeviceManagerClient { return b.overGRPC(t, admin) },
		"REST": func(b *bed, t *testing.T) *iot.DeviceManagerClient { return b.overREST(t, admin) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			g := &gapic{b, open(b, t)}
			g.registries(t)
			device := g.devices(t)
			g.lists(t, device)
			g.mailbox(t, device)
			g.gateways(t, device)
			g.policies(t)
			g.deletes(t, device)
			b.drivenToEnd(t)
		})
	}
}

// drivenToEnd fails the test for every method that has not been answered well.
func (b *bed) drivenToEnd(t *testing.T) {
	t.Helper()
	for _, m := range iotpb.DeviceManager_ServiceDesc.Methods {
		want := codes.OK
		if m.MethodName == "SetIamPolicy" || m.MethodName == "GetIamPolicy" {
			want = codes.Unimplemented
		}
		if n := testutil.ToFloat64(b.Metrics.Calls.WithLabelValues(m.MethodName, want.String())); n == 0 {
			t.Errorf("%s was not driven to %s", m.MethodName, want)
		}
	}
}

// gapic is the tests' half of a client.
type gapic struct {
	*bed
	c *iot.DeviceManagerClient
}

// same compares messages, and fails the test with what differs.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// fails checks an error's code; over REST it stands in the body.
func fails(t *testing.T, what string, err error, want codes.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Errorf("%s: %v (%s), want %s", what, err, got, want)
	}
}

func codeOf(err error) codes.Code {
	var rest *googleapi.Error
	if !errors.As(err, &rest) {
		return status.Code(err)
	}
	var body struct {
		Error struct {
			Code            int
			Message, Status string
		}
	}
	if json.Unmarshal([]byte(rest.Body), &body) != nil || body.Error.Code != rest.Code || body.Error.Message != rest.Message {
		return codes.Unknown
	}
	return codes.Code(code.Code_value[body.Error.Status])
}

func mask(paths ...string) *fieldmaskpb.FieldMask { return &fieldmaskpb.FieldMask{Paths: paths} }

func (g *gapic) registries(t *testing.T) {
	ca := newAuthority("devices' authority")
	want := &iotpb.DeviceRegistry{
		Id: "RaspberryPiDevices",
		EventNotificationConfigs: []*iotpb.EventNotificationConfig{
			{SubfolderMatches: "temperature", PubsubTopicName: "projects/my-project/topics/temperature"},
			{PubsubTopicName: "projects/my-project/topics/sensordata"},
		},
		StateNotificationConfig: &iotpb.StateNotificationConfig{PubsubTopicName: "projects/my-project/topics/state"},
		MqttConfig:              &iotpb.MqttConfig{MqttEnabledState: iotpb.MqttState_MQTT_ENABLED},
		HttpConfig:              &iotpb.HttpConfig{HttpEnabledState: iotpb.HttpState_HTTP_DISABLED},
		LogLevel:                iotpb.LogLevel_INFO,
		Credentials: []*iotpb.RegistryCredential{{Credential: &iotpb.RegistryCredential_PublicKeyCertificate{
			PublicKeyCertificate: &iotpb.PublicKeyCertificate{Format: iotpb.PublicKeyCertificateFormat_X509_CERTIFICATE_PEM, Certificate: ca.pem},
		}}},
	}
	made, err := g.c.CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: location, DeviceRegistry: want})
	if err != nil {
		t.Fatal(err)
	}
	want.Name = seed
	want.Credentials[0].GetPublicKeyCertificate().X509Details = &iotpb.X509CertificateDetails{
		Issuer: "CN=devices' authority", Subject: "CN=devices' authority", SignatureAlgorithm: "ECDSA-SHA256", PublicKeyType: "ECDSA",
		StartTime: timestamppb.New(ca.cert.NotBefore), ExpiryTime: timestamppb.New(ca.cert.NotAfter),
	}
	same(t, "created", made, want)

	got, err := g.c.GetDeviceRegistry(t.Context(), &iotpb.GetDeviceRegistryRequest{Name: seed})
	same(t, "got", got, want)
	if err != nil {
		t.Fatal(err)
	}
	_, err = g.c.CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: location, DeviceRegistry: &iotpb.DeviceRegistry{Id: "RaspberryPiDevices"}})
	fails(t, "a second of the name", err, codes.AlreadyExists)

	want.Credentials, want.LogLevel, want.HttpConfig.HttpEnabledState = nil, iotpb.LogLevel_DEBUG, iotpb.HttpState_HTTP_ENABLED
	updated, err := g.c.UpdateDeviceRegistry(t.Context(), &iotpb.UpdateDeviceRegistryRequest{
		DeviceRegistry: &iotpb.DeviceRegistry{Name: seed, LogLevel: iotpb.LogLevel_DEBUG, HttpConfig: want.HttpConfig},
		UpdateMask:     mask("log_level", "credentials", "http_config.http_enabled_state"),
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "updated", updated, want)

	plain, err := g.c.CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: location, DeviceRegistry: &iotpb.DeviceRegistry{Id: "OtherDevices"}})
	if err != nil {
		t.Fatal(err)
	}
	if plain.GetMqttConfig().GetMqttEnabledState() != iotpb.MqttState_MQTT_ENABLED || plain.GetHttpConfig().GetHttpEnabledState() != iotpb.HttpState_HTTP_ENABLED {
		t.Errorf("both protocols are enabled unless told otherwise: %v", plain)
	}
	var names []string
	list := g.c.ListDeviceRegistries(t.Context(), &iotpb.ListDeviceRegistriesRequest{Parent: location, PageSize: 1})
	for r, err := list.Next(); !errors.Is(err, iterator.Done); r, err = list.Next() {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, r.GetName())
	}
	same(t, "listed, one a page", names, []string{other, seed})
}

func (g *gapic) devices(t *testing.T) *iotpb.Device {
	expires := timestamppb.New(time.Now().Add(time.Hour).Truncate(time.Second))
	want := &iotpb.Device{
		Id: "device1",
		Credentials: []*iotpb.DeviceCredential{
			{Credential: publicKey(iotpb.PublicKeyFormat_ES256_PEM, publicPEM())},
			{Credential: publicKey(iotpb.PublicKeyFormat_ES256_X509_PEM, g.ca.issuePEM("device1")), ExpirationTime: expires},
		},
		Metadata: map[string]string{"serial": "0000a1", "greeting": "grüß <b>Gott</b> & \u2028"},
		LogLevel: iotpb.LogLevel_ERROR,
		Config:   &iotpb.DeviceConfig{BinaryData: []byte{0xfb, 0xff, 0x00}},
	}
	made, err := g.c.CreateDevice(t.Context(), &iotpb.CreateDeviceRequest{Parent: seed, Device: want})
	if err != nil {
		t.Fatal(err)
	}
	if n := strconv.FormatUint(made.GetNumId(), 10); len(n) != 16 || made.GetName() != seed+"/devices/"+n {
		t.Errorf("%d, %s: want a number of 16 digits, and a name that ends in it", made.GetNumId(), made.GetName())
	}
	want.Name, want.NumId = made.GetName(), made.GetNumId()
	want.Config.Version, want.Config.CloudUpdateTime = 1, made.GetConfig().GetCloudUpdateTime()
	want.GatewayConfig = &iotpb.GatewayConfig{GatewayType: iotpb.GatewayType_NON_GATEWAY}
	want.Credentials[0].ExpirationTime = &timestamppb.Timestamp{}
	same(t, "created", made, want)

	for _, name := range []string{seed + "/devices/device1", made.GetName(), seed + "/groups/any/devices/device1"} {
		got, err := g.c.GetDevice(t.Context(), &iotpb.GetDeviceRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, got, want)
	}
	got, err := g.c.GetDevice(t.Context(), &iotpb.GetDeviceRequest{Name: made.GetName(), FieldMask: mask("metadata", "config.version", "log_level")})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "masked", got, &iotpb.Device{Metadata: want.Metadata, LogLevel: want.LogLevel, Config: &iotpb.DeviceConfig{Version: 1}})

	want.Blocked, want.Metadata, want.Credentials = true, map[string]string{"serial": "0000a2"}, want.Credentials[:1]
	updated, err := g.c.UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{
		Device:     &iotpb.Device{Name: made.GetName(), Blocked: true, Metadata: want.Metadata, Credentials: want.Credentials, LogLevel: iotpb.LogLevel_DEBUG},
		UpdateMask: mask("blocked", "metadata", "credentials"),
	})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "updated", updated, want)
	return want
}

func publicKey(format iotpb.PublicKeyFormat, text string) *iotpb.DeviceCredential_PublicKey {
	return &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{Format: format, Key: text}}
}

func (g *gapic) lists(t *testing.T, device *iotpb.Device) {
	var numbers []uint64
	for i := range 5 {
		d := &iotpb.Device{Id: "hub" + strconv.Itoa(i)}
		if i%2 == 0 {
			d.GatewayConfig = &iotpb.GatewayConfig{GatewayType: iotpb.GatewayType_GATEWAY, GatewayAuthMethod: iotpb.GatewayAuthMethod_ASSOCIATION_ONLY}
		}
		made, err := g.c.CreateDevice(t.Context(), &iotpb.CreateDeviceRequest{Parent: seed, Device: d})
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, made.GetNumId())
	}
	gatewayType := func(t iotpb.GatewayType) *iotpb.GatewayListOptions {
		return &iotpb.GatewayListOptions{Filter: &iotpb.GatewayListOptions_GatewayType{GatewayType: t}}
	}
	for name, c := range map[string]struct {
		req  *iotpb.ListDevicesRequest
		want []string
	}{
		"all":          {&iotpb.ListDevicesRequest{}, []string{"device1", "hub0", "hub1", "hub2", "hub3", "hub4"}},
		"in pages":     {&iotpb.ListDevicesRequest{PageSize: 2}, []string{"device1", "hub0", "hub1", "hub2", "hub3", "hub4"}},
		"names":        {&iotpb.ListDevicesRequest{DeviceIds: []string{"hub3", "device1", "nobody"}}, []string{"device1", "hub3"}},
		"numbers":      {&iotpb.ListDevicesRequest{DeviceNumIds: numbers[1:3]}, []string{"hub1", "hub2"}},
		"both":         {&iotpb.ListDevicesRequest{DeviceNumIds: numbers[1:2], DeviceIds: []string{"hub3"}}, []string{"hub1", "hub3"}},
		"gateways":     {&iotpb.ListDevicesRequest{GatewayListOptions: gatewayType(iotpb.GatewayType_GATEWAY)}, []string{"hub0", "hub2", "hub4"}},
		"non-gateways": {&iotpb.ListDevicesRequest{GatewayListOptions: gatewayType(iotpb.GatewayType_NON_GATEWAY)}, []string{"device1", "hub1", "hub3"}},
	} {
		c.req.Parent = seed
		if got := names(t, g.c, c.req); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	list := g.c.ListDevices(t.Context(), &iotpb.ListDevicesRequest{Parent: seed, DeviceIds: []string{"device1"}, FieldMask: mask("blocked", "last_heartbeat_time")})
	d, err := list.Next()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "masked", d, &iotpb.Device{Id: "device1", NumId: device.GetNumId(), Blocked: true})
}

// names are the ids of a list's devices; more than them is not answered.
func names(t *testing.T, c *iot.DeviceManagerClient, req *iotpb.ListDevicesRequest) (ids []string) {
	t.Helper()
	list := c.ListDevices(t.Context(), req)
	for d, err := list.Next(); !errors.Is(err, iterator.Done); d, err = list.Next() {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.GetId())
		same(t, "unmasked", d, &iotpb.Device{Id: d.GetId(), NumId: d.GetNumId()})
	}
	return ids
}
