package provision

import (
	"time"

	"iotbridge/gateway"
)

// Profile is a product or a batch: who may ask, and what is granted.
type Profile struct {
	ID         string              `json:"id"` // a registry id's grammar; a label in EST's paths
	Disabled   bool                `json:"disabled,omitzero"`
	Registry   gateway.RegistryKey `json:"registry"`
	Bootstrap  []Bootstrap         `json:"bootstrap"`
	KeyMode    KeyMode             `json:"keyMode"`
	Lists      bool                `json:"lists"`             // only units on the allow list
	Secrets    bool                `json:"secrets,omitzero"`  // and only with the unit's claim secret
	Approval   bool                `json:"approval,omitzero"` // each new unit waits for an operator
	Webhook    *Hook               `json:"webhook,omitempty"`
	DeviceID   string              `json:"deviceId"` // a template: d-{serial}
	Again      Again               `json:"reprovision"`
	MaxDevices int                 `json:"maxDevices,omitzero"` // 0: no cap
	Rates      Rates               `json:"rates,omitzero"`
	Lifetime   Duration            `json:"lifetime"` // of a device's certificate
	Metadata   map[string]string   `json:"metadata,omitempty"`

	Revision int64     `json:"revision,omitzero"` // grows with each change; the store's
	Updated  time.Time `json:"updated,omitzero"`
	Devices  int       `json:"-"` // claimed or active in it; the store's
}

// Bootstrap is a certificate that may ask: one certificate, or an authority whose
// certificates all may.
type Bootstrap struct {
	Name      string    `json:"name"`
	SHA256    string    `json:"sha256"`              // of the certificate's DER, 64 hexadecimal digits
	Authority string    `json:"authority,omitempty"` // PEM: those that it has issued may ask
	Revoked   bool      `json:"revoked,omitzero"`
	NotAfter  time.Time `json:"notAfter,omitzero"` // zero: the certificate's own
}

// KeyMode says where a device's key is made.
type KeyMode string

// The modes.
const (
	KeyOnDevice KeyMode = "csr" // it never leaves the board
	KeyOnServer KeyMode = "server"
	KeyOnEither KeyMode = "both"
)

// Again says what a claimed serial that comes with another key gets.
type Again string

// The policies.
const (
	AgainRefuse         Again = "refuse"
	AgainNeverConnected Again = "replace-never-connected"
	AgainExpired        Again = "reclaim-if-expired"
	AgainReplace        Again = "replace"
)

// Rates are enrolments a minute; 0 is the default.
type Rates struct {
	Certificate int `json:"certificate,omitzero"` // of one bootstrap certificate's key, 6,000
	Address     int `json:"address,omitzero"`     // of one IPv4 address or IPv6 /64, 600
	Prefix      int `json:"prefix,omitzero"`      // of serials alike but for the last 3 characters, 600
}

// Hook is the owner's validation function.
type Hook struct {
	URL     string   `json:"url"` // https only
	Secret  string   `json:"-"`   // key of the request's HMAC; kept, never shown
	Timeout Duration `json:"timeout,omitzero"`
}

// Duration is a time.Duration that reads and writes as 720h0m0s.
type Duration time.Duration

// MarshalText is encoding.TextMarshaler's.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText is encoding.TextUnmarshaler's.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
