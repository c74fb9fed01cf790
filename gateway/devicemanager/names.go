package devicemanager

import (
	"strings"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// locationOf takes projects/P/locations/L apart.
func locationOf(field, name string) (project, location string, err error) {
	k, err := registryOf(field, name+"/registries/any")
	if err != nil {
		return "", "", badName(field, "projects/P/locations/L")
	}
	return k.Project, k.Location, nil
}

// registryOf takes projects/P/locations/L/registries/R apart, with or without
// groups/G behind it.
func registryOf(field, name string) (gateway.RegistryKey, error) {
	p, ok := ungrouped(name)
	if !ok || len(p) != 6 || p[0] != "projects" || p[2] != "locations" || p[4] != "registries" {
		return gateway.RegistryKey{}, badName(field, "projects/P/locations/L/registries/R")
	}
	k := gateway.RegistryKey{Project: p[1], Location: p[3], Registry: p[5]}
	if !k.Valid() {
		return gateway.RegistryKey{}, badName(field, "projects/P/locations/L/registries/R")
	}
	return k, nil
}

// deviceOf takes projects/P/locations/L/registries/R[/groups/G]/devices/D apart; D
// is a name or a number.
func deviceOf(field, name string) (gateway.DeviceKey, error) {
	p, ok := ungrouped(name)
	k, valid := gateway.ParseDeviceKey(strings.Join(p, "/"))
	if !ok || !valid {
		return gateway.DeviceKey{}, badName(field, "projects/P/locations/L/registries/R/devices/D")
	}
	return k, nil
}

// ungrouped splits a resource name and takes groups/G out; ok is false if G is none.
func ungrouped(name string) (parts []string, ok bool) {
	if len(name) > 2048 {
		return nil, false
	}
	p := strings.Split(name, "/")
	if len(p) < 8 || p[6] != "groups" {
		return p, true
	}
	return append(p[:6:6], p[8:]...), schema.ValidID(p[7])
}

func badName(field, want string) error {
	return &gateway.InvalidError{Field: field, Reason: "want " + want}
}
