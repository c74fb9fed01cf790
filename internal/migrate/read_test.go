package migrate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// brief is what a test looks at.
type brief struct {
	ID, From, Config, Level string
	Number                  uint64
	Keys                    []string // format, time of its end in seconds
	Blocked, Gateway        bool
}

func briefly(d Device) brief {
	b := brief{
		ID: d.GetId(), From: d.From, Config: string(d.GetConfig().GetBinaryData()), Level: d.GetLogLevel().String(), Number: d.GetNumId(),
		Blocked: d.GetBlocked(), Gateway: d.GetGatewayConfig() != nil,
	}
	for _, c := range d.GetCredentials() {
		b.Keys = append(b.Keys, fmt.Sprintf("%v %d", c.GetPublicKey().GetFormat(), c.GetExpirationTime().GetSeconds()))
	}
	return b
}

func TestWhatOthersHaveWrittenIsRead(t *testing.T) {
	const registry = "projects/p/locations/l/registries/R"
	manager := brief{ID: "device1", From: registry, Config: "\xfb\xff", Level: "DEBUG", Number: 2928540609735937, Keys: []string{"ES256_PEM 0", "RSA_X509_PEM 1893456000"}, Blocked: true, Gateway: true}
	plain := brief{ID: "device2", From: registry, Level: "LOG_LEVEL_UNSPECIFIED", Number: 2820826361193805}
	emqx := brief{ID: "device1", From: registry, Config: "my-config", Level: "LOG_LEVEL_UNSPECIFIED", Keys: []string{"ES256_PEM 1706738400"}, Blocked: true}
	export := emqx
	export.Number = 2928540609735937
	const one = `{"id":"device1","name":"projects/p/locations/l/registries/R/devices/2928540609735937","numId":"2928540609735937","blocked":true,"logLevel":"DEBUG",
		"config":{"version":"2","binaryData":"-_8="},"gatewayConfig":{"gatewayType":"GATEWAY","gatewayAuthMethod":"ASSOCIATION_ONLY","lastAccessedGatewayId":""},
		"credentials":[{"expirationTime":"1970-01-01T00:00:00Z","publicKey":{"format":"ES256_PEM","key":"k"}},{"expirationTime":"2030-01-01T00:00:00Z","publicKey":{"format":"RSA_X509_PEM","key":"k"}}],
		"state":{"binaryData":"AA=="},"somethingNew":1}`
	const two = `{"id":"device2","name":"projects/p/locations/l/registries/R/devices/2820826361193805","numId":"2820826361193805","gatewayConfig":{},"config":{"version":"1"}}`
	for name, test := range map[string]struct {
		text string
		want []brief
	}{
		"gcloud":               {"[" + one + ",\n" + two + "]", []brief{manager, plain}},
		"an empty list":        {" [] ", nil},
		"REST, two pages":      {`{"devices":[` + one + `],"nextPageToken":"x"}` + "\n" + `{"devices":[` + two + `]}`, []brief{manager, plain}},
		"REST, nothing":        {"{}", nil},
		"our own list":         {one + "\n" + two + "\n", []brief{manager, plain}},
		"EMQX, to import":      {`[{"deviceid":"device1","project":"p","location":"l","registry":"R","keys":[{"key":"k","key_type":"ES256_PEM","expires_at":1706738400}],"config":"bXktY29uZmln","blocked":true}]`, []brief{emqx}},
		"EMQX, a page":         {`{"data":[{"deviceid":"device1","created_at":1,"project":"p","location":"l","registry":"R","keys":[{"key":"k","key_type":"ES256_PEM","expires_at":1706738400}],"config":"bXktY29uZmln","blocked":true}],"meta":{"count":1}}`, []brief{emqx}},
		"EMQX's tool":          {`[{"config_topics":[],"client_ids":["` + registry + `/devices/device1","` + registry + `/devices/2928540609735937"],"credentials":[{"public_key":{"format":"ES256_PEM","key":"k"},"expiration_time":1706738400}],"blocked":true,"config":"bXktY29uZmln"}]`, []brief{export}},
		"a name of the number": {`[{"deviceid":"2928540609735937","keys":[],"config":"","blocked":false}]`, []brief{{ID: "2928540609735937", Level: "LOG_LEVEL_UNSPECIFIED"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []brief
			for d, err := range Read(strings.NewReader(test.text)) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, briefly(d))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoListIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "empty",
		"  \n":                         "empty",
		"DEVICE  NUMBER":               "object 1: ",
		`"device1"`:                    "neither a device nor a page",
		`[{"id":"device1"},17]`:        "object 2: neither a device nor a page",
		`{"name":"x"}`:                 "it has no id, deviceid or client_ids",
		`[{"id":"device1"}`:            "object 2: ",
		`[{"id":"device1"`:             "object 1: ",
		`{"id":"device1","numId":"x"}`: "not as Device Manager lists them",
		`{"devices":[{"id":7}]}`:       "object 1: ",
		`{"deviceid":"d","keys":7}`:    "not as EMQX lists them",
		`{"client_ids":[],"config":7}`: "not as gcp-export.py writes them",
	} {
		var last error
		for _, err := range Read(strings.NewReader(text)) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, last, want)
		}
	}
}

// endless is an object that does not end.
type endless struct{ begun bool }

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	if !e.begun {
		e.begun = true
		n = copy(p, `{"id":"`)
	}
	for i := n; i < len(p); i++ {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestOneObjectIsBounded(t *testing.T) {
	const most = 10_000
	var last error
	for _, err := range read(&endless{}, most) {
		last = err
	}
	if !errors.Is(last, errLong) {
		t.Errorf("error %v, want %v", last, errLong)
	}
	// Many small ones are not.
	small := `{"id":"device1"}`
	n := 0
	for _, err := range read(strings.NewReader(strings.Repeat(small, 10*most/len(small))), most) {
		if err != nil {
			t.Fatalf("after %d: %v", n, err)
		}
		n++
	}
	if n != 10*most/len(small) {
		t.Errorf("%d devices", n)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"id":"device1","numId":"2928540609735937","credentials":[{"publicKey":{"format":"ES256_PEM","key":"k"}}]}]`))
	f.Add([]byte(`{"devices":[{"id":"device1"}]}{"data":[{"deviceid":"d"}]}`))
	f.Add([]byte(`{"client_ids":["a/devices/b","a/devices/2928540609735937"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for d, err := range Read(strings.NewReader(string(text))) {
			if err == nil && d.Device == nil {
				t.Fatal("neither a device nor an error")
			}
		}
	})
}
