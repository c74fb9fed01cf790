package migrate

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

// acceptable returns nil when a registry takes the key as it is, and otherwise the
// bare key of a certificate that has ended.
func acceptable(k *iotpb.PublicKeyCredential, now time.Time) (*iotpb.PublicKeyCredential, error) {
	if k == nil {
		return nil, errors.New("none that can be read")
	}
	given := gateway.Credential{Format: gateway.KeyFormat(k.GetFormat()), PEM: k.GetKey()}
	key, err := auth.ParseKey(given.Format, given.PEM)
	if err != nil {
		return nil, err
	}
	if key.Certificate == nil || !now.After(key.Certificate.NotAfter) {
		_, err = auth.Register(given, nil, now)
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public)
	if err != nil {
		return nil, err
	}
	bare := gateway.Credential{Format: gateway.ES256PEM, PEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	if given.Format == gateway.RSAX509 {
		bare.Format = gateway.RSAPEM
	}
	_, err = auth.Register(bare, nil, now)
	return &iotpb.PublicKeyCredential{Format: iotpb.PublicKeyFormat(bare.Format), Key: bare.PEM}, err
}

// sameKeys says whether two devices sign with the same keys, whatever these are in.
func sameKeys(a, b *iotpb.Device) bool { return maps.Equal(fingerprints(a), fingerprints(b)) }

func fingerprints(d *iotpb.Device) map[string]bool {
	set := map[string]bool{}
	for _, c := range d.GetCredentials() {
		name := c.GetPublicKey().GetKey() // of what is no key
		if key, err := auth.ParseKey(gateway.KeyFormat(c.GetPublicKey().GetFormat()), name); err == nil {
			name = key.Fingerprint()
		}
		set[name] = true
	}
	return set
}
