package httpbridge

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iotbridge/gateway"
)

func TestAnEventArrivesWithItsAttributes(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	payload := "\x00\xff\xfe{}>>>???" // either alphabet shows in its base64
	std, urls := base64.StdEncoding.EncodeToString([]byte(payload)), base64.RawURLEncoding.EncodeToString([]byte(payload))
	for _, c := range []struct{ body, folder, topic string }{
		{`{"binary_data":"` + std + `","sub_folder":"temperature"}`, "temperature", "temperature"},
		{`{"binaryData":"` + urls + `","subFolder":"humidity/inside"}`, "humidity/inside", "sensordata"},
		{`{"binaryData":"` + std + `"}`, "", "sensordata"},
		{` {"binaryData":"` + urls + `", "subFolder":null, "gatewayInfo":null, "more":[{"a":1}]} `, "", "sensordata"},
	} {
		code, body := s.publish(d, c.body)
		expect(t, c.body, code, body, http.StatusOK, "{}")
		all := s.topics.all()
		want := sent{"projects/project-1/topics/" + c.topic, map[string]string{
			"deviceId": "device1", "deviceNumId": d.Num(),
			"deviceRegistryId": seed.Registry, "deviceRegistryLocation": seed.Location, "projectId": seed.Project, "subFolder": c.folder,
		}, payload}
		if diff := cmp.Diff(want, all[len(all)-1], cmp.AllowUnexported(sent{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.body, diff)
		}
	}
}

func TestNameAndNumberAreOneDevice(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	for _, name := range []string{"device1", d.Num(), "device%31"} {
		code, body := s.call(d, http.MethodPost, "/v1/"+seed.String()+"/devices/"+name+":publishEvent", `{}`)
		expect(t, name, code, body, http.StatusOK, "{}")
	}
	for _, e := range s.topics.all() {
		if e.attributes["deviceId"] != "device1" {
			t.Errorf("published as %s", e.attributes["deviceId"])
		}
	}
}

func TestNoAnswerBeforePubSubHasConfirmed(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	var confirm func(error)
	reached := make(chan struct{})
	s.topics.take = func(_ sent, done func(error)) { confirm = done; close(reached) }
	type answer struct {
		code int
		body string
	}
	answered := make(chan answer, 1)
	go func() {
		code, body := s.publish(d, `{"binaryData":"AAAA"}`)
		answered <- answer{code, body}
	}()
	<-reached
	select {
	case a := <-answered:
		t.Fatalf("answered %d before the confirmation", a.code)
	default:
	}
	confirm(nil)
	a := <-answered
	expect(t, "confirmed", a.code, a.body, http.StatusOK, "{}")
}

func TestWhatIsNotConfirmedIsNotTaken(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	for _, why := range []error{gateway.ErrBusy, errors.New("unavailable: secret-of-ours")} {
		s.topics.take = func(_ sent, done func(error)) { done(why) }
		code, body := s.publish(d, `{}`)
		expect(t, why.Error(), code, body, http.StatusServiceUnavailable, "UNAVAILABLE")
		if strings.Contains(body, "secret") {
			t.Errorf("our own error is told: %s", body)
		}
	}
}

func TestB35_PayloadSizes(t *testing.T) {
	s := open(t, func(s *Server) { s.Bridge.(*gateway.Bridge).Limiter = nil })
	d := s.add(seed, "device1")
	encode := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, c := range []struct{ bytes, code int }{
		{0, 200}, {gateway.MaxTelemetry - 1, 200}, {gateway.MaxTelemetry, 200}, {gateway.MaxTelemetry + 1, 400}, {700_000, 400}, {900_000, 400},
	} {
		code, body := s.publish(d, `{"binaryData":"`+encode(c.bytes)+`"}`)
		want := map[int]string{200: "{}", 400: "INVALID_ARGUMENT"}[c.code]
		expect(t, "event of "+strconv.Itoa(c.bytes), code, body, c.code, want)
	}
	if n := len(s.topics.all()); n != 3 {
		t.Errorf("%d published, want 3", n)
	}
	for _, c := range []struct{ bytes, code int }{{0, 200}, {gateway.MaxState, 200}, {gateway.MaxState + 1, 400}} {
		code, body := s.call(d, http.MethodPost, "/v1/"+d.Key.String()+":setState", `{"state":{"binary_data":"`+encode(c.bytes)+`"}}`)
		expect(t, "state of "+strconv.Itoa(c.bytes), code, body, c.code, map[int]string{200: "{}", 400: "INVALID_ARGUMENT"}[c.code])
	}
}

func TestStateIsKept(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	path := "/v1/" + d.Key.String() + ":setState"
	for _, body := range []string{`{"state":{"binaryData":"b25l"}}`, `{"state":{"binary_data":"dHdv"}, "x":1}`} {
		code, answer := s.call(d, http.MethodPost, path, body)
		expect(t, body, code, answer, http.StatusOK, "{}")
	}
	for _, body := range []string{``, `{}`, `{"state":null}`, `{"state":"b25l"}`, `{"binaryData":"b25l"}`, `{"state":{"binaryData":"*"}}`} {
		code, answer := s.call(d, http.MethodPost, path, body)
		expect(t, body, code, answer, http.StatusBadRequest, "INVALID_ARGUMENT")
	}
	states, err := s.store.States(t.Context(), d.Key, 10)
	if err != nil || len(states) != 2 || string(states[0].Data) != "two" || string(states[1].Data) != "one" {
		t.Errorf("%v, %v: want two and one", states, err)
	}
}

func TestStatesFasterThanADeviceMay(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	var running sync.WaitGroup
	var slowed atomic.Int32
	for range 40 { // all in the same moment, or nearly
		running.Go(func() {
			code, answer := s.call(d, http.MethodPost, "/v1/"+d.Key.String()+":setState", `{"state":{}}`)
			if code == http.StatusTooManyRequests {
				expect(t, "too fast", code, answer, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED")
				slowed.Add(1)
			}
		})
	}
	if running.Wait(); slowed.Load() == 0 {
		t.Error("40 states at once were all taken")
	}
}

func TestConfigByVersion(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	path := "/v1/" + d.Key.String() + "/config"
	get := func(query string) (int, string) { return s.call(d, http.MethodGet, path+query, "") }
	code, body := get("?local_version=0")
	expect(t, "a new device", code, body, http.StatusOK, `{"version":"1"}`)
	if _, err := s.store.SetConfig(t.Context(), "test", d.Key, 0, []byte("\xfbold")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query, want string
		code        int
	}{
		{"", `{"version":"2","binaryData":"+29sZA=="}`, 200},
		{"?local_version=0", `{"version":"2","binaryData":"+29sZA=="}`, 200},
		{"?localVersion=1&alt=json", `{"version":"2","binaryData":"+29sZA=="}`, 200},
		{"?local_version=2", `{"version":"2"}`, 200},
		{"?local_version=3", "OUT_OF_RANGE", 400},
		{"?local_version=9223372036854775807", "OUT_OF_RANGE", 400},
		{"?local_version=9223372036854775808", "INVALID_ARGUMENT", 400},
		{"?local_version=-1", "INVALID_ARGUMENT", 400},
		{"?local_version=", "INVALID_ARGUMENT", 400},
		{"?local_version=two", "INVALID_ARGUMENT", 400},
		{"?local_version=1&localVersion=1", "INVALID_ARGUMENT", 400},
		{"?local_version=1;x", "INVALID_ARGUMENT", 400},
		{"?gatewayInfo.gatewayId=gateway1", "UNAUTHENTICATED", 401},
		{"?gatewayInfo.gatewayId=gateway1&gateway_info.delegated_device_id=device2", "INVALID_ARGUMENT", 400},
	} {
		code, body := get(c.query)
		expect(t, c.query, code, body, c.code, c.want)
	}
	known, err := s.store.Device(t.Context(), d.Key)
	if err != nil || !known.LastConfigAck.IsZero() || !known.Config.Acked.IsZero() {
		t.Errorf("asking is no acknowledgement: %v, %v", known, err)
	}
}

func TestGzip(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	zip := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write([]byte(text))
		w.Close()
		return b.String()
	}
	whole := zip(`{"binaryData":"AAAA"}`)
	for _, c := range []struct {
		what, encoding, body string
		code                 int
	}{
		{"as it should be", "gzip", whole, 200},
		{"the old name", "x-gzip", whole, 200},
		{"zeros of the largest size that go", "gzip", zip(`{"binaryData":"` + strings.Repeat("A", freeBody-18) + `"}`), 200},
		{"identity", "identity", `{}`, 200},
		{"a bomb", "gzip", zip(`{"binaryData":"` + strings.Repeat("A", 30<<20) + `"}`), 400},
		{"out of proportion", "gzip", zip(`{"binaryData":"` + strings.Repeat("A", 200_000) + `"}`), 400},
		{"cut", "gzip", whole[:len(whole)-9], 400},
		{"a wrong sum", "gzip", whole[:len(whole)-8] + "12345678", 400},
		{"none", "gzip", `{"binaryData":"AAAA"}`, 400},
		{"empty", "gzip", "", 400},
		{"members without end", "gzip", strings.Repeat(zip(""), 60_000), 400},
		{"another", "br", whole, 400},
		{"two", "gzip, gzip", whole, 400},
	} {
		code, body := s.publish(d, c.body, "Content-Encoding", c.encoding)
		expect(t, c.what, code, body, c.code, map[int]string{200: "{}", 400: "INVALID_ARGUMENT"}[c.code])
	}
}

// M21: both spellings of a device share its rate, and no other device feels it.
func TestM21_FasterThanADeviceMay(t *testing.T) {
	s := open(t, func(s *Server) { s.Bridge.(*gateway.Bridge).Limiter = gateway.Rates{Bytes: 1024}.Limiter() })
	d, other := s.add(seed, "device1"), s.add(seed, "device2")
	numbered := *d.Device
	numbered.Key.Device = d.Num()
	big := `{"binaryData":"` + strings.Repeat("AAAA", 65536) + `"}`
	var running sync.WaitGroup
	var slowed atomic.Int32
	for i := range 40 { // 7.5 MiB, of 1 KiB a second: no machine is so slow
		as := []*device{d, {&numbered, d.private}}[i%2]
		running.Go(func() {
			code, body := s.publish(as, big)
			if code == http.StatusTooManyRequests {
				expect(t, "too fast", code, body, http.StatusTooManyRequests, "RESOURCE_EXHAUSTED")
				slowed.Add(1)
			}
		})
	}
	if running.Wait(); slowed.Load() == 0 {
		t.Error("40 large events at once were all taken")
	}
	code, body := s.publish(other, `{}`)
	expect(t, "another device", code, body, http.StatusOK, "{}")
}

func TestNoTopic(t *testing.T) {
	s := open(t, nil)
	d := s.add(seed, "device1")
	_, err := s.store.UpdateRegistry(t.Context(), "test", seed, func(r *gateway.Registry) error { r.Routes = r.Routes[:1]; return nil })
	if err != nil {
		t.Fatal(err)
	}
	code, body := s.publish(d, `{"subFolder":"other"}`)
	expect(t, "no route", code, body, http.StatusBadRequest, "FAILED_PRECONDITION")
	for _, folder := range []string{"/temperature", "temperature/", "a//b", "+", "#", strings.Repeat("x", 257), `\u0000`} {
		code, body := s.publish(d, `{"subFolder":"`+folder+`"}`)
		expect(t, folder, code, body, http.StatusBadRequest, "INVALID_ARGUMENT")
	}
}
