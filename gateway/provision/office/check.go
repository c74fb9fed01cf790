package office

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

const (
	maxName       = 64 // of a bootstrap certificate
	minHookSecret = 16
	usualLifetime = 365 * 24 * time.Hour
	usualHookTime = 5 * time.Second
	usualDeviceID = "d-{serial}"
)

func wrong(field, format string, args ...any) error {
	return &gateway.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// check completes a profile, and refuses one that could grant nothing, or that nobody
// can mean. before is what it was; nil: nothing.
func check(p, before *provision.Profile) error {
	p.KeyMode, p.Again = cmp.Or(p.KeyMode, provision.KeyOnDevice), cmp.Or(p.Again, provision.AgainRefuse)
	p.DeviceID, p.Lifetime = cmp.Or(p.DeviceID, usualDeviceID), cmp.Or(p.Lifetime, provision.Duration(usualLifetime))
	if err := checkBootstrap(p); err != nil {
		return err
	}
	if err := p.Fault(); err != nil {
		return err
	}
	if p.Webhook == nil {
		return nil
	}
	h := p.Webhook
	h.Timeout = cmp.Or(h.Timeout, provision.Duration(usualHookTime))
	switch {
	case h.Secret == "" && (before == nil || before.Webhook == nil):
		return wrong("webhook", "its secret is missing: requests are signed with it")
	case h.Secret != "" && len(h.Secret) < minHookSecret:
		return wrong("webhook", "its secret: want %d bytes at the least", minHookSecret)
	}
	return nil
}

// checkBootstrap takes fingerprints as other programs print them.
func checkBootstrap(p *provision.Profile) (err error) {
	if len(p.Bootstrap) == 0 {
		return wrong("bootstrap", "names no certificate: nobody could ask")
	}
	for i := range p.Bootstrap {
		b := &p.Bootstrap[i]
		if len(b.Name) > maxName || b.Name != printed(b.Name) {
			return wrong("bootstrap", "has a name of more than %d printable characters", maxName)
		}
		if b.SHA256 != "" {
			if b.SHA256, err = fingerprint(b.SHA256); err != nil {
				return err
			}
		}
		if b.Authority != "" {
			given := b.SHA256
			b.SHA256 = ""
			if sum := sumOfBootstrap(*b); given != "" && given != sum {
				return wrong("bootstrap", "has an authority whose SHA-256 is %s, not the one beside it", sum)
			}
		}
		if sum := sumOfBootstrap(*b); sum != "" && named(p, sum) < i {
			return wrong("bootstrap", "has %s twice", sum)
		}
	}
	return nil
}

// fingerprint takes the forms that openssl and others print.
func fingerprint(text string) (string, error) {
	sum := strings.ToLower(strings.ReplaceAll(text, ":", ""))
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
		return "", wrong("sha256", "want the SHA-256 of a certificate's DER, 64 hexadecimal digits")
	}
	return sum, nil
}

// named is where a profile has the certificate, or the authority of that certificate;
// -1 for nowhere.
func named(p *provision.Profile, sum string) int {
	return slices.IndexFunc(p.Bootstrap, func(b provision.Bootstrap) bool { return sumOfBootstrap(b) == sum })
}

// sumOfBootstrap is "" for what is neither.
func sumOfBootstrap(b provision.Bootstrap) string {
	if b.SHA256 != "" {
		return b.SHA256
	}
	if block, _ := pem.Decode([]byte(b.Authority)); block != nil {
		return sumOf(block.Bytes)
	}
	return ""
}
