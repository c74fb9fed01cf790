package enroll

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// grant is what the gateway has answered.
type grant struct {
	Device struct {
		Project  string `json:"projectId"`
		Location string `json:"location"`
		Registry string `json:"registryId"`
		Device   string `json:"deviceId"`
		Number   string `json:"numId"`
	} `json:"device"`
	Certificate string   `json:"certificate"`
	Authorities []string `json:"caCertificates"`
	MQTT        *struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	} `json:"mqtt"`
	RenewAfter time.Time `json:"renewAfter"`

	leaf *x509.Certificate
	cas  [][]byte
}

// maxAuthorities is how many certificates of authorities an answer may hold.
const maxAuthorities = 16

// parseGrant reads one JSON object. A member that comes twice, in any spelling, refuses
// it: which of them counts would be the reader's fancy. Members that are not known may
// be a newer gateway's.
func parseGrant(text []byte) (*grant, error) {
	g := new(grant)
	err := unique(text)
	if err == nil {
		err = json.Unmarshal(text, g)
	}
	if err == nil {
		g.leaf, err = parseCertificate(g.Certificate)
	}
	if err == nil && len(g.Authorities) > maxAuthorities {
		err = fmt.Errorf("%d certificates of authorities", len(g.Authorities))
	}
	for _, one := range g.Authorities {
		if err == nil {
			var c *x509.Certificate
			if c, err = parseCertificate(one); err == nil {
				g.cas = append(g.cas, c.Raw)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the gateway's answer: %w", err)
	}
	return g, nil
}

func parseCertificate(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != blockCertificate || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// unique refuses what is not one value, or has a member twice.
func unique(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	var within []map[string]bool // nil for a list
	name := false                // the next token of an object is a name
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && len(within) == 0:
			return nil
		case err != nil:
			return err
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				within = append(within, map[string]bool{})
			case '[':
				within = append(within, nil)
			default:
				within = within[:len(within)-1]
			}
			name = len(within) > 0 && within[len(within)-1] != nil
		case string:
			if !name {
				name = len(within) > 0 && within[len(within)-1] != nil
				continue
			}
			seen, folded := within[len(within)-1], strings.ToLower(t)
			if seen[folded] {
				return fmt.Errorf("member %.40q is there twice", t)
			}
			seen[folded], name = true, false
		default:
			name = len(within) > 0 && within[len(within)-1] != nil
		}
	}
}

// identity is what the device is from now on. own is what it was; nil at first.
func (g *grant) identity(r *request, own *Identity, now time.Time) (*Identity, error) {
	i := &Identity{Serial: r.serial, Certificate: g.leaf, RenewAfter: g.RenewAfter.UTC(), Authorities: g.cas}
	if g.Certificate == "" && own != nil {
		kept := *own
		kept.Certificate, kept.RenewAfter = g.leaf, time.Time{}
		i = &kept
	} else {
		d := &g.Device
		i.Project, i.Location, i.Registry, i.Device, i.Number = d.Project, d.Location, d.Registry, d.Device, d.Number
		if g.MQTT != nil {
			i.Host, i.Port = g.MQTT.Host, g.MQTT.Port
		}
	}
	switch {
	case !belongs(g.leaf, r.key.Public()):
		return nil, errors.New("the gateway's answer: the certificate is not for the key that was asked for")
	case !now.Before(g.leaf.NotAfter):
		return nil, fmt.Errorf("the gateway's answer: the certificate has expired on %s: check the clocks", g.leaf.NotAfter.Format(time.RFC3339))
	case i.Port < 0 || i.Port > 65535:
		return nil, fmt.Errorf("the gateway's answer: port %d", i.Port)
	}
	if i.RenewAfter.Before(g.leaf.NotBefore) || !i.RenewAfter.Before(g.leaf.NotAfter) {
		i.RenewAfter = now.Add(g.leaf.NotAfter.Sub(now) * 2 / 3).UTC()
	}
	return i, nil
}

func belongs(c *x509.Certificate, key crypto.PublicKey) bool {
	public, ok := c.PublicKey.(*ecdsa.PublicKey)
	return ok && public.Equal(key)
}

// certificateFor finds the key's certificate in EST's answer: the base64 of a PKCS #7
// that holds certificates only (RFC 7030, 4.2.3; RFC 5652, 5.1).
func certificateFor(text []byte, key crypto.PublicKey) (*x509.Certificate, error) {
	dense := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\r\n", r) {
			return -1
		}
		return r
	}, string(text))
	der, err := base64.StdEncoding.DecodeString(dense)
	if err != nil {
		return nil, errors.New("the gateway's answer is not base64")
	}
	var content struct {
		Type asn1.ObjectIdentifier
		Data struct {
			Version    int
			Algorithms asn1.RawValue `asn1:"set"`
			Content    struct {
				Type asn1.ObjectIdentifier
			}
			Certificates asn1.RawValue `asn1:"optional,tag:0"`
			CRLs         asn1.RawValue `asn1:"optional,tag:1"`
			Signers      asn1.RawValue `asn1:"set"`
		} `asn1:"explicit,tag:0"`
	}
	signedData := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	if rest, err := asn1.Unmarshal(der, &content); err != nil || len(rest) > 0 || !content.Type.Equal(signedData) {
		return nil, errors.New("the gateway's answer is no PKCS #7 of certificates")
	}
	all, err := x509.ParseCertificates(content.Data.Certificates.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the gateway's answer: %w", err)
	}
	for _, c := range all {
		if belongs(c, key) {
			return c, nil
		}
	}
	return nil, errors.New("the gateway's answer has no certificate for the key that was asked for")
}
