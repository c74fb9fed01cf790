package office

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strconv"
	"strings"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

// Profile is a provision.Profile as operators write and read it. An authority's
// SHA-256 is read beside it.
type Profile struct {
	provision.Profile
	Registry string `json:"registry"` // projects/P/locations/L/registries/R, or R
	Webhook  *Hook  `json:"webhook,omitempty"`
}

// Hook is a provision.Hook. The secret is written and never read.
type Hook struct {
	URL     string             `json:"url"`
	Secret  string             `json:"secret,omitempty"`
	Timeout provision.Duration `json:"timeout,omitzero"`
}

func toProfile(p *provision.Profile) *Profile {
	r := &Profile{Profile: *p, Registry: p.Registry.String()}
	r.Bootstrap = slices.Clone(p.Bootstrap)
	for i := range r.Bootstrap {
		r.Bootstrap[i].SHA256 = sumOfBootstrap(r.Bootstrap[i])
	}
	if p.Webhook != nil {
		r.Webhook = &Hook{URL: p.Webhook.URL, Timeout: p.Webhook.Timeout}
	}
	return r
}

// profile is what was written, for a location's registries.
func (r *Profile) profile(location string) (*provision.Profile, error) {
	p := r.Profile
	name := r.Registry
	if !strings.Contains(name, "/") {
		name = location + "/registries/" + name
	}
	k, ok := gateway.ParseDeviceKey(name + "/devices/any")
	if !ok {
		return nil, &gateway.InvalidError{Field: "registry", Reason: "want R, or projects/P/locations/L/registries/R"}
	}
	p.Registry, p.Webhook = k.RegistryKey, nil
	if r.Webhook != nil {
		p.Webhook = &provision.Hook{URL: r.Webhook.URL, Secret: r.Webhook.Secret, Timeout: r.Webhook.Timeout}
	}
	return &p, nil
}

// Claim is a provision.Claim as operators see it.
type Claim struct {
	Profile  string               `json:"profile"`
	Serial   string               `json:"serialNumber"`
	MACs     []string             `json:"macAddresses,omitempty"`
	State    provision.ClaimState `json:"state"`
	Reason   string               `json:"reason,omitempty"`
	Device   string               `json:"device,omitempty"` // its resource name
	Number   string               `json:"deviceNumber,omitempty"`
	SPKI     string               `json:"spkiSha256,omitempty"`
	NotAfter time.Time            `json:"notAfter,omitzero"`
	// Certificate is the newest, in PEM.
	Certificate       string    `json:"certificate,omitempty"`
	CertificateSHA256 string    `json:"certificateSha256,omitempty"`
	PreviousSHA256    string    `json:"previousSha256,omitempty"`
	Bootstrap         string    `json:"bootstrapSha256,omitempty"`
	Created           time.Time `json:"created"`
	Updated           time.Time `json:"updated"`
}

func toClaim(c *provision.Claim) *Claim {
	r := &Claim{
		Profile: c.Profile, Serial: c.Unit.Serial, MACs: c.Unit.MACs, State: c.State, Reason: c.Reason,
		NotAfter: c.NotAfter, Bootstrap: c.Bootstrap, Created: c.Created, Updated: c.Updated,
		CertificateSHA256: sumOf(c.Certificate), PreviousSHA256: sumOf(c.Previous),
	}
	if c.Number != 0 {
		r.Device, r.Number = c.Device.String(), strconv.FormatUint(c.Number, 10)
	}
	if c.SPKI != [sha256.Size]byte{} {
		r.SPKI = hex.EncodeToString(c.SPKI[:])
	}
	if c.Certificate != nil {
		r.Certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate}))
	}
	return r
}

func sumOf(der []byte) string {
	if der == nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// Entry is a provision.Entry as operators see it: that there is a claim secret, and not
// what proves it.
type Entry struct {
	Serial  string `json:"serialNumber,omitempty"`
	MAC     string `json:"macAddress,omitempty"`
	Secured bool   `json:"secured,omitzero"`
}

// Profiles is a page of them.
type Profiles struct {
	Profiles []*Profile `json:"profiles"`
	Next     string     `json:"nextPageToken,omitempty"`
}

// Claims is a page of them.
type Claims struct {
	Claims []*Claim `json:"claims"`
	Next   string   `json:"nextPageToken,omitempty"`
}

// Entries is a page of them.
type Entries struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"nextPageToken,omitempty"`
}

// Imported is what came of a list that was sent: how many entries were read, and how
// many of these were new, or were there to be removed.
type Imported struct {
	Entries int `json:"entries"`
	Changed int `json:"changed"`
}
