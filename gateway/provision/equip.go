package provision

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"time"

	"iotbridge/gateway"
)

// equip makes the key, when the unit has none, and the certificate.
func (d *Desk) equip(a *asked, k *Known, v *verdict, next *Claim, change *Change, grant *Grant) error {
	key := a.PublicKey
	if key == nil {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return fmt.Errorf("a key for a device: %w", err)
		}
		if key, err = x509.MarshalPKIXPublicKey(private.Public()); err != nil {
			return fmt.Errorf("a key for a device: %w", err)
		}
		if grant.PrivateKey, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
			return fmt.Errorf("a key for a device: %w", err)
		}
	}
	change.DeviceID, change.Metadata, change.Blocked = k.Profile.deviceName(a.Unit.Serial), maps.Clone(k.Profile.Metadata), v.Blocked
	if v.DeviceID != "" {
		change.DeviceID = v.DeviceID
	}
	if len(v.Metadata) > 0 {
		if change.Metadata == nil {
			change.Metadata = map[string]string{}
		}
		maps.Copy(change.Metadata, v.Metadata)
	}
	name := change.DeviceID
	if k.Device != nil {
		name = k.Device.Key.Device
	}
	credential, certificate, err := d.issue(name, a.Unit.Serial, key, k.Profile.lifetime(), a.now)
	if err != nil {
		grant.Forget()
		return err
	}
	next.State, next.SPKI = Claimed, sha256.Sum256(key)
	next.Certificate, next.NotAfter = certificate, credential.Expires
	change.Credentials, change.Action = []gateway.Credential{credential}, "provision_claim"
	if k.Claim.granted() {
		change.Action = "provision_reclaim"
	}
	return nil
}

// issue makes a certificate, and the credential that it is.
func (d *Desk) issue(name, serial string, key []byte, lifetime time.Duration, now time.Time) (gateway.Credential, []byte, error) {
	der, err := d.Authority.Current().Issue(Leaf{CommonName: name, Serial: serial, PublicKey: key, Lifetime: lifetime}, now)
	if err != nil {
		return gateway.Credential{}, nil, fmt.Errorf("the device authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return gateway.Credential{}, nil, fmt.Errorf("the device authority: %w", err)
	}
	format := gateway.RSAX509
	if certificate.PublicKeyAlgorithm == x509.ECDSA {
		format = gateway.ES256X509
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return gateway.Credential{Format: format, PEM: string(text), Expires: certificate.NotAfter}, der, nil
}
