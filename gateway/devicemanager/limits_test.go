package devicemanager_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/grpc/codes"

	"iotbridge/gateway"
)

// object is a JSON object.
type object map[string]any

func (o object) String() string {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// want sends a request as the admin and checks the status; it returns the answer.
func (b *bed) want(t *testing.T, code int, method, path string, body fmt.Stringer) object {
	t.Helper()
	text := ""
	if body != nil {
		text = body.String()
	}
	got, answer, _ := b.do(t, admin, method, path, text)
	if got != code {
		t.Errorf("%s %.120s: %d %.300s, want %d", method, path, got, answer, code)
	}
	var o object
	if err := json.Unmarshal([]byte(answer), &o); err != nil {
		t.Errorf("%s %.120s: %v", method, path, err)
	}
	return o
}

const (
	devices = "/v1/" + seed + "/devices"
	device1 = devices + "/device1"
)

func TestR3_NoMarkupInAnswers(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	evil := []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "]]>&lt;", "\u2028\u2029", `</title><svg/onload=alert(1)>`, "'-alert(1)-'"}
	metadata := map[string]string{}
	for i, text := range evil {
		metadata[fmt.Sprintf("key%d", i)] = text
	}
	b.want(t, http.StatusOK, http.MethodPatch, device1+"?updateMask=metadata", object{"metadata": metadata})
	d, err := b.store.Device(t.Context(), gateway.DeviceKey{RegistryKey: seedKey, Device: "device1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.store.Note(t.Context(), []gateway.Sign{{Device: d.Number, Error: time.Now(), ErrorStatus: &gateway.Status{Code: 9, Message: evil[0]}}}); err != nil {
		t.Fatal(err)
	}
	paths := []string{device1, devices + "?fieldMask=metadata"}
	for _, text := range evil {
		paths = append(paths, devices+"/"+url.PathEscape(text), device1+"?fieldMask="+url.QueryEscape(text), device1+"?"+url.QueryEscape(text)+"=x")
	}
	for _, path := range paths {
		_, text, header := b.do(t, admin, http.MethodGet, path, "")
		if i := strings.IndexAny(text, "<>&\u2028\u2029"); i >= 0 {
			t.Errorf("%s: %q in the answer", path, text[i:])
		}
		if header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(header.Get("Content-Type"), "application/json") || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, header)
		}
	}
	got := b.want(t, http.StatusOK, http.MethodGet, device1, nil)
	for key, value := range metadata {
		if got["metadata"].(map[string]any)[key] != value {
			t.Errorf("%s is %v, want %q", key, got["metadata"], value)
		}
	}
}

var seedKey = gateway.RegistryKey{Project: "my-project", Location: "us-central1", Registry: "RaspberryPiDevices"}

func TestR5_Pages(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	for i := range 520 {
		if _, err := b.store.CreateDevice(t.Context(), "test", &gateway.Device{Key: gateway.DeviceKey{RegistryKey: seedKey, Device: fmt.Sprintf("more%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]int{
		"": 100, "?pageSize=0": 100, "?pageSize=7": 7, "?pageSize=501": 500, "?pageSize=2147483647": 500,
		"?pageSize=2147483648": -1, "?pageSize=-1": -1, "?pageSize=1e3": -1, "?pageSize=": -1, "?pageSize=1&pageSize=2": -1,
		"?pageToken=x": -1, "?pageToken=" + strings.Repeat("A", 5000): -1, "?filter=(a%2B)%2B$": -1, "?orderBy=id": -1, "?offset=100000": -1,
	} {
		code := http.StatusOK
		if want < 0 {
			code = http.StatusBadRequest
		}
		got := b.want(t, code, http.MethodGet, devices+query, nil)
		if list, _ := got["devices"].([]any); want > 0 && len(list) != want {
			t.Errorf("%q: %d devices, want %d", query, len(list), want)
		}
	}
	token := b.want(t, http.StatusOK, http.MethodGet, devices+"?pageSize=3", nil)["nextPageToken"].(string)
	b.want(t, http.StatusOK, http.MethodGet, devices+"?pageToken="+token, nil)
	for _, path := range []string{
		"/v1/" + other + "/devices?pageToken=" + token, devices + "?gatewayListOptions.gatewayType=GATEWAY&pageToken=" + token,
		"/v1/" + location + "/registries?pageToken=" + token, devices + "?pageToken=" + token[:len(token)-2], devices + "?pageToken=" + token + "A",
	} {
		b.want(t, http.StatusBadRequest, http.MethodGet, path, nil)
	}
	// More ids than a list may have do not fit into a URL.
	c := b.overGRPC(t, admin)
	list := c.ListDevices(t.Context(), &iotpb.ListDevicesRequest{Parent: seed, DeviceNumIds: make([]uint64, 10_001)})
	_, err := list.Next()
	fails(t, "10,001 numbers", err, codes.InvalidArgument)
}

func TestR6_OnlyWhatAnUpdateMayChange(t *testing.T) {
	b := newBed(t)
	mine, _ := populate(t, b)
	before := b.want(t, http.StatusOK, http.MethodGet, device1, nil)
	given := object{
		"blocked": false, "metadata": object{"a": "b"}, "lastEventTime": "2020-01-01T00:00:00Z", "lastHeartbeatTime": "2020-01-01T00:00:00Z",
		"config": object{"version": "99", "binaryData": "eA=="}, "state": object{"binaryData": "eA=="}, "lastErrorStatus": object{"code": 1},
		"gatewayConfig": object{"gatewayType": "GATEWAY", "lastAccessedGatewayId": "hub"},
	}
	for _, mask := range []string{
		"", "*", "id", "numId", "num_id", "name", "lastEventTime", "last_heartbeat_time", "lastErrorStatus", "config", "config.binaryData", "config.version", "state",
		"gatewayConfig", "gatewayConfig.gatewayType", "gatewayConfig.lastAccessedGatewayId", "metadata.a", "credentials.publicKey", "blocked,numId", "Blocked", "role", ",", "metadata,", " metadata",
	} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, device1+"?updateMask="+url.QueryEscape(mask), given)
	}
	b.want(t, http.StatusBadRequest, http.MethodPatch, device1, given)
	for _, query := range []string{"device.blocked=true", "device.metadata=x", "name=x", "blocked=true", "updateMask.paths=blocked", "update_mask=blocked", "updateMask=blocked"} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, device1+"?updateMask=metadata&"+query, given)
	}
	for _, unknown := range []object{{"role": "admin"}, {"Blocked": true}, {"blocked": "true"}, {"logLevel": "LOUD"}} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, device1+"?updateMask=blocked", unknown)
	}
	for _, id := range []object{{"id": "device2"}, {"numId": "1"}, {"id": "device1", "numId": mine.Num()}} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, device1+"?updateMask=blocked", id)
	}
	same(t, "after all that", b.want(t, http.StatusOK, http.MethodGet, device1, nil), before)

	b.want(t, http.StatusOK, http.MethodPatch, device1+"?updateMask=blocked", object{"blocked": true, "metadata": object{"not": "asked for"}})
	same(t, "an update of blocked alone", b.want(t, http.StatusOK, http.MethodGet, device1, nil)["metadata"], nil)
	after := b.want(t, http.StatusOK, http.MethodPatch, device1+"?updateMask=metadata", given)
	before["blocked"], before["metadata"] = true, map[string]any{"a": "b"}
	same(t, "an update of the metadata alone", after, before)

	made := b.want(t, http.StatusOK, http.MethodPost, devices, object{
		"id": "device2", "numId": "2577321808646966", "lastEventTime": "2020-01-01T00:00:00Z",
		"state": object{"binaryData": "eA=="}, "lastErrorStatus": object{"code": 1},
	})
	if made["numId"] != "2577321808646966" || made["lastEventTime"] != nil || made["state"] != nil || made["lastErrorStatus"] != nil {
		t.Errorf("created: %v", made)
	}
	for _, bad := range []object{
		{"id": "device3", "name": device1},
		{"id": ""},
		{"id": "goog1"},
		{"id": "1device"},
		{"id": "a+b"},
		{"id": "ab"},
		{"id": mine.Num()},
		{"id": "device3", "config": object{"version": "1"}},
		{"id": "device3", "logLevel": 7},
		{"id": "device3", "numId": "257732180864696"},
		{"id": "device3", "numId": "9007199254740993"},
		{"id": "device3", "numId": "-1"},
		{"id": "device3", "gatewayConfig": object{"gatewayAuthMethod": "ASSOCIATION_ONLY"}},
	} {
		b.want(t, http.StatusBadRequest, http.MethodPost, devices, bad)
	}
	for _, mask := range []string{"", "id", "name", "eventNotificationConfigs.pubsubTopicName", "mqttConfig,id", "*"} {
		b.want(t, http.StatusBadRequest, http.MethodPatch, "/v1/"+seed+"?updateMask="+mask, object{"mqttConfig": object{"mqttEnabledState": "MQTT_DISABLED"}})
	}
	b.want(t, http.StatusBadRequest, http.MethodPatch, "/v1/"+seed+"?updateMask=logLevel", object{"id": "Another", "logLevel": "INFO"})
	b.want(t, http.StatusOK, http.MethodPatch, "/v1/"+seed+"?updateMask=mqttConfig.mqtt_enabled_state,logLevel", object{"mqttConfig": object{"mqttEnabledState": 2}})
	if r := b.want(t, http.StatusOK, http.MethodGet, "/v1/"+seed, nil); r["mqttConfig"].(map[string]any)["mqttEnabledState"] != "MQTT_DISABLED" {
		t.Errorf("registry: %v", r)
	}
}

func TestR8_Limits(t *testing.T) {
	b := newBed(t)
	populate(t, b)
	pairs := func(n, value int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("k%03d", i)] = strings.Repeat("v", value)
		}
		return m
	}
	full := pairs(7, 32<<10)
	full["rest"] = strings.Repeat("v", 256<<10-7*(32<<10+4)-4)
	over := pairs(7, 32<<10)
	over["rest"] = full["rest"] + "v"
	for name, c := range map[string]struct {
		metadata map[string]string
		code     int
	}{
		"500 pairs":      {pairs(500, 1), http.StatusOK},
		"501 pairs":      {pairs(501, 1), http.StatusBadRequest},
		"a key of 128":   {map[string]string{strings.Repeat("k", 128): ""}, http.StatusOK},
		"a key of 129":   {map[string]string{strings.Repeat("k", 129): ""}, http.StatusBadRequest},
		"no key":         {map[string]string{"": ""}, http.StatusBadRequest},
		"a key of signs": {map[string]string{"k<": ""}, http.StatusBadRequest},
		"32 KiB":         {pairs(1, 32<<10), http.StatusOK},
		"32 KiB and 1":   {pairs(1, 32<<10+1), http.StatusBadRequest},
		"256 KiB":        {full, http.StatusOK},
		"256 KiB and 1":  {over, http.StatusBadRequest},
		"none":           {nil, http.StatusOK},
	} {
		t.Log(name)
		b.want(t, c.code, http.MethodPatch, device1+"?updateMask=metadata", object{"metadata": c.metadata})
	}
	data := func(n int) object { return object{"binaryData": base64.StdEncoding.EncodeToString(make([]byte, n))} }
	b.want(t, http.StatusOK, http.MethodPost, device1+":modifyCloudToDeviceConfig", data(64<<10))
	b.want(t, http.StatusBadRequest, http.MethodPost, device1+":modifyCloudToDeviceConfig", data(64<<10+1))
	b.want(t, http.StatusBadRequest, http.MethodPost, devices, object{"id": "device2", "config": data(64<<10 + 1)})
	if got := b.want(t, http.StatusBadRequest, http.MethodPost, device1+":sendCommandToDevice", data(256<<10)); !strings.Contains(got["error"].(map[string]any)["message"].(string), "not connected") {
		t.Errorf("the largest command: %v", got)
	}
	if got := b.want(t, http.StatusBadRequest, http.MethodPost, device1+":sendCommandToDevice", data(256<<10+1)); !strings.Contains(got["error"].(map[string]any)["message"].(string), "binary_data") {
		t.Errorf("a larger command: %v", got)
	}
	key := object{"publicKey": object{"format": "ES256_PEM", "key": publicPEM()}}
	b.want(t, http.StatusOK, http.MethodPatch, device1+"?updateMask=credentials", object{"credentials": slices.Repeat([]object{key}, 3)})
	b.want(t, http.StatusBadRequest, http.MethodPatch, device1+"?updateMask=credentials", object{"credentials": slices.Repeat([]object{key}, 4)})
	cert := object{"publicKeyCertificate": object{"format": "X509_CERTIFICATE_PEM", "certificate": newAuthority("a").pem}}
	route := object{"pubsubTopicName": "projects/my-project/topics/events"}
	for field, one := range map[string]object{"credentials": cert, "eventNotificationConfigs": route} {
		b.want(t, http.StatusOK, http.MethodPatch, "/v1/"+seed+"?updateMask="+field, object{field: slices.Repeat([]object{one}, 10)})
		b.want(t, http.StatusBadRequest, http.MethodPatch, "/v1/"+seed+"?updateMask="+field, object{field: slices.Repeat([]object{one}, 11)})
	}
	if got := b.want(t, http.StatusBadRequest, http.MethodPatch, device1, object{"id": strings.Repeat("x", 2<<20)}); !strings.Contains(got["error"].(map[string]any)["message"].(string), "the body") {
		t.Errorf("2 MiB over REST: %v", got)
	}
	_, err := b.overGRPC(t, admin).UpdateDevice(t.Context(), &iotpb.UpdateDeviceRequest{Device: &iotpb.Device{Id: strings.Repeat("x", 2<<20)}})
	fails(t, "2 MiB over gRPC", err, codes.ResourceExhausted)
}
