package gateway_test

import (
	"strings"
	"testing"

	"iotbridge/gateway"
	"iotbridge/schema"
)

var keys = map[string]bool{
	"projects/project-1/locations/us-central1/registries/RaspberryPiDevices/devices/device1":          true,
	"projects/project-1/locations/us-central1/registries/RaspberryPiDevices/devices/2577321808646966": true,
	"projects/example.com:project-1/locations/europe-west1/registries/abc/devices/a-._~%9":            true,
	"projects/p/locations/l/registries/abc/devices/" + "a" + strings.Repeat("x", 254):                 true,

	"":        false,
	"device1": false,
	"/projects/p/locations/l/registries/abc/devices/device1":                        false,
	"projects/p/locations/l/registries/abc/devices/device1/":                        false,
	"projects/p/locations/l/registries/abc/devices/device1/config":                  false,
	"projects/p/locations/l/registries/abc/devices/":                                false,
	"projects//locations/l/registries/abc/devices/device1":                          false,
	"projects/p/locations//registries/abc/devices/device1":                          false,
	"projects/p/locations/l/registries/../devices/device1":                          false,
	"projects/P/locations/l/registries/abc/devices/device1":                         false,
	"projects/p q/locations/l/registries/abc/devices/device1":                       false,
	"projects/p/locations/L/registries/abc/devices/device1":                         false,
	"Projects/p/locations/l/registries/abc/devices/device1":                         false,
	"projects/p/locations/l/registries/abc/devices/+":                               false,
	"projects/p/locations/l/registries/abc/devices/#":                               false,
	"projects/p/locations/l/registries/abc/devices/dev\u202eice":                    false,
	"projects/p/locations/l/registries/abc/devices/dev\x00ice":                      false,
	"projects/p/locations/l/registries/abc/devices/google1":                         false,
	"projects/p/locations/l/registries/abc/devices/12":                              false,
	"projects/p/locations/l/registries/abc/devices/a" + strings.Repeat("x", 255):    false,
	"projects/" + strings.Repeat("p", 128) + "/locations/l/registries/abc/devices/": false,
	strings.Repeat("/", 1<<16):                                                      false,
}

func TestM6_ClientIDs(t *testing.T) {
	for text, want := range keys {
		k, ok := gateway.ParseDeviceKey(text)
		if ok != want || ok && k.String() != text {
			t.Errorf("%.100q: %v, %v", text, k, ok)
		}
	}
}

func FuzzDeviceKey(f *testing.F) {
	for text := range keys {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, ok := gateway.ParseDeviceKey(text)
		if !ok {
			return
		}
		if k.String() != text || !schema.ValidID(k.Registry) || !schema.ValidID(k.Device) && !schema.ValidNumID(k.Device) {
			t.Errorf("%q is taken as %+v", text, k)
		}
		if strings.ContainsAny(k.Project+k.Location, "/+#*$ \x00\n") || k.Project == "" || k.Location == "" {
			t.Errorf("%q is taken as %+v", text, k)
		}
	})
}
