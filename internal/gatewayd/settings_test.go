package gatewayd_test

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"go.uber.org/zap"

	"iotbridge/internal/gatewayd"
	"iotbridge/internal/ops"
)

func TestAWrongSettingSaysWhichAndWhatToDo(t *testing.T) {
	enough := []string{"--store=sqlite:x", "--tls-cert=c", "--tls-key=k"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{enough, ""},
		{[]string{"--tls-cert=c", "--tls-key=k"}, "--store sqlite:FILE"},
		{[]string{"--store=sqlite:x", "--tls-key=k"}, "--tls-cert"},
		{[]string{"--store=sqlite:x", "--tls-cert=c"}, "--tls-key"},
		{append(enough, "--project=My Project"), "project"},
		{append(enough, "--project="), "project is missing"},
		{append(enough, "--location=us/central1"), "location"},
		{append(enough, "--protocols=coap"), "protocols"},
		{append(enough, "--protocols=http", "--mqtt="), ""},
		{append(enough, "--operators=o", "--api=:8080"), "unencrypted"},
		{append(enough, "--operators=o", "--api=192.0.2.1:8080"), "unencrypted"},
		{append(enough, "--operators=o", "--grpc=0.0.0.0:8081"), "grpc is 0.0.0.0:8081"},
		{append(enough, "--operators=o", "--api=[::1]:8080", "--grpc=127.0.0.1:1"), ""},
		{append(enough, "--operators=o", "--api=:8080", "--grpc=:8081", "--api-tls-cert=c", "--api-tls-key=k"), ""},
		{append(enough, "--api=:8080"), ""}, // nobody may operate, nothing is served there
		{append(enough, "--api-tls-cert=c"), "go together"},
		{append(enough, "--operators=o", "--api-client-ca=c"), "api-tls-cert"},
		{append(enough, "--provision-ca=c"), "go together"},
		{append(enough, "--provision-ca-key=k"), "go together"},
		{append(enough, "--provision-ca=c", "--provision-ca-key=k", "--protocols=mqtt"), "http in --protocols"},
		{append(enough, "--provision-ca=c", "--provision-ca-key=k", "--provision-mqtt=:8883"), "provision-mqtt"},
		{append(enough, "--provision-ca=c", "--provision-ca-key=k", "--provision-https=example.com"), "provision-https"},
		{append(enough, "--provision-ca=c", "--provision-ca-key=k", "--provision-https=example.com:443"), ""},
		{append(enough, "--max-connections=0"), "max-connections"},
		{append(enough, "--shutdown-grace=0s"), "shutdown-grace"},
		{append(enough, "--device-messages-per-second=0"), "device-messages-per-second"},
		{append(enough, "--device-messages-per-second=1000001"), "device-messages-per-second"},
		{append(enough, "--device-bytes-per-second=1023"), "device-bytes-per-second"},
		{append(enough, "--device-messages-per-second=1", "--device-bytes-per-second=1024"), ""},
	} {
		s, err := parse(c.args)
		if err == nil {
			err = s.Fault()
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.args, err, c.want)
		}
	}
}

// What is wrong with a file or an address ends the start, and says which.
func TestAWrongFileEndsTheStart(t *testing.T) {
	s := start(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nothing, wrong := filepath.Join(s.dir, "nothing"), s.write("wrong", "wrong\n")
	open := s.write("open.keys", string(s.read(s.keyFile)))
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		arg  string
		want []string
	}{
		{"--tls-cert=" + nothing, []string{"tls-cert", nothing}},
		{"--tls-cert=" + wrong, []string{"tls-cert", wrong, "PEM"}},
		{"--tls-key=" + nothing, []string{"tls-cert", nothing}},
		{"--tls-key=" + filepath.Join(s.dir, "ca.key"), []string{"tls-cert", "ca.key", "does not match"}},
		{"--operators=" + wrong, []string{"operators", wrong, "line 1"}},
		{"--attestation-key=" + wrong, []string{"attestation", wrong}},
		{"--attestation-key=" + open, []string{"attestation", open, "chmod"}},
		{"--store=sqlite:" + wrong, []string{wrong}},
		{"--store=mysql://x", []string{"mysql", "sqlite:FILE"}},
		{"--mqtt=" + taken.Addr().String(), []string{taken.Addr().String(), "in use", "--mqtt"}},
		{"--device-https=" + taken.Addr().String(), []string{"in use", "--device-https"}},
		{"--api=" + taken.Addr().String(), []string{"in use", "--api"}},
		{"--ops=" + taken.Addr().String(), []string{"--ops"}},
		{"--api-client-ca=" + wrong, []string{"api-client-ca", wrong}},
	} {
		free := []string{"--mqtt=127.0.0.1:0", "--device-https=127.0.0.1:0", "--api=127.0.0.1:0", "--grpc=127.0.0.1:0", "--ops=127.0.0.1:0"}
		if strings.HasPrefix(c.arg, "--mqtt") {
			free = free[1:] // it may be said twice
		}
		args := append(s.args(free...), "--api-tls-cert="+s.files.File, "--api-tls-key="+s.files.Key, c.arg)
		settings, err := parse(args)
		if err != nil {
			t.Fatal(err)
		}
		settings.PubSub = s.pubsub
		err = gatewayd.Run(t.Context(), settings, zap.NewNop(), ops.NewRegistry())
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q in it", c.arg, err, want)
			}
		}
	}
}

func TestCheckNamesWhatIsWellAndWhatIsNot(t *testing.T) {
	s := start(t)
	g := s.gateway()
	g.seed()
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	settings, err := parse(s.args())
	if err != nil {
		t.Fatal(err)
	}
	settings.PubSub = s.pubsub
	var out bytes.Buffer
	if err := gatewayd.Check(t.Context(), settings, &out); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"ok  configuration", "ok  store", "ok  topic projects/project-1/topics/temperature", "ok  topic projects/project-1/topics/sensordata"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	again := s.gateway()
	_, err = again.manager().CreateDeviceRegistry(t.Context(), &iotpb.CreateDeviceRegistryRequest{Parent: parent, DeviceRegistry: &iotpb.DeviceRegistry{
		Id: "Other", EventNotificationConfigs: []*iotpb.EventNotificationConfig{{PubsubTopicName: "projects/project-1/topics/missing"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	err = gatewayd.Check(t.Context(), settings, &out)
	if err == nil || !strings.Contains(err.Error(), "topics/missing does not exist") || !strings.Contains(err.Error(), "registries/Other") {
		t.Errorf("%v", err)
	}
}

// A device at a rate of 1 KiB a second has minutes to wait after a large message, over
// whatever protocol.
func TestADevicesRateIsASetting(t *testing.T) {
	s := start(t)
	g := s.gateway("--device-bytes-per-second=1024")
	g.seed()
	d := g.device("device1")
	c := g.mustConnect(d)
	if err := c.send("/devices/device1/events/temperature", strings.Repeat("x", 256<<10)); err != nil {
		t.Fatal(err)
	}
	if code := g.publishHTTP(d); code != http.StatusTooManyRequests {
		t.Errorf("the next message: %d", code)
	}
	if code := g.publishHTTP(g.device("device2")); code != http.StatusOK {
		t.Errorf("another device: %d", code)
	}
}
