package schema

import "strings"

// The attributes that a gateway sets, and nobody else; the first seven are named
// as IoT Core named them.
const (
	AttrDeviceID         = "deviceId"
	AttrDeviceNumID      = "deviceNumId"
	AttrRegistryID       = "deviceRegistryId"
	AttrRegistryLocation = "deviceRegistryLocation"
	AttrProjectID        = "projectId"
	AttrSubFolder        = "subFolder" // present and "" when there is none
	AttrGatewayID        = "gatewayId" // of proxied devices only
	AttrAttestation      = "attestation"
)

const (
	minID    = 3
	maxID    = 255
	numIDLen = 16
	maxNumID = "9007199254740991" // 2^53 - 1, so that JSON numbers carry it
)

// ValidID reports whether id is the name of a device or a registry:
// [A-Za-z][-A-Za-z0-9._~%]{2,254}, not beginning with goog. IoT Core also allowed
// '+', which is an MQTT wildcard.
func ValidID[T string | []byte](id T) bool {
	if len(id) < minID || len(id) > maxID || !isLetter(id[0]) || len(id) >= 4 && string(id[:4]) == "goog" {
		return false
	}
	for i := 1; i < len(id); i++ {
		if !idBytes[id[i]] {
			return false
		}
	}
	return true
}

// ValidNumID reports whether id is a numeric id: 16 digits, the first not 0, below
// 2^53. No name is one.
func ValidNumID[T string | []byte](id T) bool {
	if len(id) != numIDLen || id[0] == '0' || string(id) > maxNumID {
		return false
	}
	for i := range len(id) {
		if id[i] < '0' || id[i] > '9' {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// idBytes is what an id's second byte and those after it may be.
var idBytes = func() (set [256]bool) {
	for c := range set {
		set[c] = isLetter(byte(c)) || '0' <= c && c <= '9' || strings.IndexByte("-._~%", byte(c)) >= 0
	}
	return set
}()
