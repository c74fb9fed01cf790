package provision

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"iotbridge/gateway"
	"iotbridge/schema"
)

const (
	serialField     = "{serial}"
	defaultDeviceID = "d-" + serialField
	defaultLifetime = 365 * 24 * time.Hour
	minLifetime     = time.Hour
	maxLifetime     = 20 * 365 * 24 * time.Hour
	maxBootstraps   = 32
	maxPEM          = 16 << 10
	maxRate         = 1_000_000
)

// Fault says what is wrong with a profile as an operator gave it: nil, or an
// *gateway.InvalidError. Whether its registry is there the store says.
func (p *Profile) Fault() error {
	switch {
	case !schema.ValidID(p.ID):
		return invalid("id", "want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %%, not beginning with goog")
	case !slices.Contains([]KeyMode{KeyOnDevice, KeyOnServer, KeyOnEither}, p.KeyMode):
		return invalid("keyMode", "want %s, %s or %s", KeyOnDevice, KeyOnServer, KeyOnEither)
	case !slices.Contains([]Again{AgainRefuse, AgainNeverConnected, AgainExpired, AgainReplace}, p.Again):
		return invalid("reprovision", "want %s, %s, %s or %s", AgainRefuse, AgainNeverConnected, AgainExpired, AgainReplace)
	case p.Secrets && !p.Lists:
		return invalid("secrets", "want lists as well: the secrets are in the allow list")
	case p.Secrets && p.KeyMode != KeyOnDevice:
		return invalid("secrets", "want keyMode %s: a unit proves its secret over its own key", KeyOnDevice)
	case strings.Count(p.DeviceID, serialField) != 1 && p.DeviceID != "":
		return invalid("deviceId", "want %s in it, once", serialField)
	case !schema.ValidID(p.deviceName(strings.Repeat("0", maxSerial))) || !schema.ValidID(p.deviceName("ZZZZ")):
		return invalid("deviceId", "want what is a device id with any serial in it: a letter first, at most 191 more")
	case p.MaxDevices < 0:
		return invalid("maxDevices", "want 0, for no cap, or more")
	case p.Lifetime != 0 && (time.Duration(p.Lifetime) < minLifetime || time.Duration(p.Lifetime) > maxLifetime):
		return invalid("lifetime", "want %s to %s", minLifetime, maxLifetime)
	case len(p.Bootstrap) > maxBootstraps:
		return invalid("bootstrap", "has %d entries: want at most %d", len(p.Bootstrap), maxBootstraps)
	}
	for _, rate := range []int{p.Rates.Certificate, p.Rates.Address, p.Rates.Prefix} {
		if rate < 0 || rate > maxRate {
			return invalid("rates", "want 0, for the default, to %d a minute", maxRate)
		}
	}
	for i, b := range p.Bootstrap {
		if err := b.fault(); err != nil {
			return invalid(fmt.Sprintf("bootstrap[%d]", i), "%v", err)
		}
	}
	if p.Webhook != nil {
		if err := p.Webhook.fault(); err != nil {
			return invalid("webhook", "%v", err)
		}
	}
	return nil
}

func invalid(field, format string, args ...any) error {
	return &gateway.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

func (b *Bootstrap) fault() error {
	if (b.SHA256 == "") == (b.Authority == "") {
		return fmt.Errorf("want sha256, of one certificate, or authority: one of them")
	}
	if b.SHA256 != "" {
		sum, err := hex.DecodeString(b.SHA256)
		if err != nil || len(sum) != 32 || b.SHA256 != strings.ToLower(b.SHA256) {
			return fmt.Errorf("sha256: want 64 hexadecimal digits in lower case")
		}
		return nil
	}
	c, err := b.root()
	switch {
	case err != nil:
		return err
	case !c.IsCA || !c.BasicConstraintsValid:
		return fmt.Errorf("authority: the certificate is not of an authority: give its sha256 instead")
	case isFor(c, ForDevice):
		return fmt.Errorf("authority: it issues to devices, and those may not ask")
	}
	return nil
}

// root is the authority's certificate.
func (b *Bootstrap) root() (*x509.Certificate, error) {
	if len(b.Authority) > maxPEM {
		return nil, fmt.Errorf("authority: want at most %d bytes", maxPEM)
	}
	block, rest := pem.Decode([]byte(b.Authority))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, fmt.Errorf("authority: want one PEM block, -----BEGIN CERTIFICATE-----")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("authority: not the DER of a certificate")
	}
	return c, nil
}

func (h *Hook) fault() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("url: want https://HOST/PATH")
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("url: want no user and no fragment in it")
	case strings.ContainsAny(h.URL, "{}$ \t\r\n\\"):
		return fmt.Errorf("url: want it as it is: nothing is filled in")
	case h.Timeout < 0 || time.Duration(h.Timeout) > maxHookTime:
		return fmt.Errorf("timeout: want at most %s", maxHookTime)
	}
	return nil
}

// deviceName is the id of the device of a serial.
func (p *Profile) deviceName(serial string) string {
	template := p.DeviceID
	if template == "" {
		template = defaultDeviceID
	}
	return strings.Replace(template, serialField, serial, 1)
}

func (p *Profile) lifetime() time.Duration {
	if p.Lifetime == 0 {
		return defaultLifetime
	}
	return time.Duration(p.Lifetime)
}
