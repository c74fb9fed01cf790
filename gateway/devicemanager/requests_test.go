package devicemanager_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

func TestR11_OneOfTwoAdminsWins(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	clients := []interface {
		change(version int64, data string) error
	}{admins{b, t, "ada"}, admins{b, t, "pia"}}
	for version := int64(1); version <= 10; version++ {
		errs := make([]error, len(clients))
		var both sync.WaitGroup
		for i, c := range clients {
			both.Go(func() { errs[i] = c.change(version, fmt.Sprintf("%d of %d", i, version)) })
		}
		both.Wait()
		won, lost := slices.Index(errs, nil), 0
		for i, err := range errs {
			if err != nil {
				fails(t, "who was later", err, codes.FailedPrecondition)
				lost++
			} else {
				won = i
			}
		}
		if lost != 1 {
			t.Fatalf("version %d: %v", version, errs)
		}
		d, err := b.store.Device(t.Context(), gateway.DeviceKey{RegistryKey: seedKey, Device: "device1"})
		if err != nil || d.Config.Version != version+1 || string(d.Config.Data) != fmt.Sprintf("%d of %d", won, version) {
			t.Fatalf("version %d: %+v, %v", version, d.Config, err)
		}
	}
}

// admins change a config each over a protocol of his own.
type admins struct {
	b   *bed
	t   *testing.T
	who string
}

func (a admins) change(version int64, data string) error {
	c := a.b.overGRPC(a.t, admin)
	if a.who == "pia" {
		c = a.b.overREST(a.t, plant)
	}
	_, err := c.ModifyCloudToDeviceConfig(a.t.Context(), &iotpb.ModifyCloudToDeviceConfigRequest{
		Name: seed + "/devices/device1", VersionToUpdate: version, BinaryData: []byte(data),
	})
	return err
}

func TestRequestsThatAreNone(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	for path, body := range map[string]string{
		device1 + ":modifyCloudToDeviceConfig":                     `{"binaryData":`,
		device1 + ":sendCommandToDevice":                           `[1]`,
		"/v1/" + seed + ":bindDeviceToGateway":                     `{"gatewayId":7}`,
		devices:                                                    strings.Repeat(`{"config":`, 100_000),
		"/v1/" + location + "/registries":                          `{"id":"x1y","mqttConfig":{"mqttEnabledState":"MAYBE"}}`,
		device1 + ":sendCommandToDevice?subfolder=a":               `{}`,
		"/v1/projects/P/locations/l/registries":                    `{"id":"abc"}`,
		"/v1/projects/my-project/locations/us_central1/registries": `{"id":"abc"}`,
	} {
		if code, text, _ := b.do(t, admin, http.MethodPost, path, body); code != http.StatusBadRequest || !strings.Contains(text, "INVALID_ARGUMENT") || len(text) > 600 {
			t.Errorf("%s: %d %.300s", path, code, text)
		}
	}
	for _, path := range []string{
		device1 + "?fieldMask=nothing", device1 + "?a;b", device1 + "?%zz", device1 + "/states?numStates=x", device1 + "/configVersions?numVersions=-1",
		devices + "?deviceNumIds=-1", devices + "?gatewayListOptions.gatewayType=HUB", devices + "?gatewayListOptions=x", devices + "?gatewayListOptions.gatewayType=GATEWAY&gatewayListOptions.associationsGatewayId=a", devices + "/" + "goog", "/v1/" + seed + "/groups/%20/devices",
	} {
		b.want(t, http.StatusBadRequest, http.MethodGet, path, nil)
	}
	got := b.want(t, http.StatusOK, http.MethodGet, "/v1/"+seed+"?$alt=json%3Benum-encoding%3Dint&prettyPrint=false&key=x&fields=name", nil)
	if got["mqttConfig"].(map[string]any)["mqttEnabledState"] != 1.0 {
		t.Errorf("enums as numbers: %v", got)
	}
}
