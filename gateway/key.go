package gateway

import (
	"strings"

	"iotbridge/schema"
)

// maxKey bounds a device's name as clients write it, with room for the longest.
const maxKey = 1024

// ParseDeviceKey takes a client id or a resource name apart:
// projects/P/locations/R/registries/G/devices/D. ok is false outside the grammar.
func ParseDeviceKey(s string) (k DeviceKey, ok bool) {
	if len(s) > maxKey {
		return DeviceKey{}, false
	}
	p := strings.Split(s, "/")
	if len(p) != 8 || p[0] != "projects" || p[2] != "locations" || p[4] != "registries" || p[6] != "devices" {
		return DeviceKey{}, false
	}
	k = DeviceKey{RegistryKey{p[1], p[3], p[5]}, p[7]}
	return k, k.Valid()
}

// Valid reports whether the key is in the grammar of names and numbers.
func (k DeviceKey) Valid() bool {
	return k.RegistryKey.Valid() && (schema.ValidID(k.Device) || schema.ValidNumID(k.Device))
}

// Valid reports whether the key is in the grammar: a project is letters, digits,
// '-', and in the old form DOMAIN:PROJECT '.' and ':' too, at most 127 bytes; a
// location is lower case letters, digits and '-', at most 63.
// https://cloud.google.com/resource-manager/docs/creating-managing-projects
func (k RegistryKey) Valid() bool {
	return only(k.Project, 127, "-.:") && only(k.Location, 63, "-") && schema.ValidID(k.Registry)
}

// only says that s begins with a lower case letter and goes on with such, digits
// and bytes of more.
func only(s string, most int, more string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && strings.IndexByte(more, c) < 0) {
			return false
		}
	}
	return s != "" && len(s) <= most
}
