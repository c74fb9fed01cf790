package auth_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

// issuer signs certificates.
type issuer struct {
	*device
	cert *x509.Certificate
}

func (i *issuer) pem() string { return pemOf("CERTIFICATE", i.cert.Raw) }

// template is a certificate that is valid from an hour ago for two hours.
func template(name string, changes ...func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(time.Hour),
	}
	for _, change := range changes {
		change(c)
	}
	return c
}

func asCA(c *x509.Certificate) {
	c.BasicConstraintsValid, c.IsCA, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

func lasting(from, to time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(from), now.Add(to) }
}

// issue signs a certificate of d's key; by nil: d's own.
func issue(t *testing.T, c *x509.Certificate, d *device, by *issuer) *issuer {
	t.Helper()
	parent, private := c, d.private
	if by != nil {
		parent, private = by.cert, by.private
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, d.private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{d, cert}
}

func selfSigned(t *testing.T, d *device) string {
	t.Helper()
	return issue(t, template("unused"), d, nil).pem()
}

func TestRegisterChecksDates(t *testing.T) {
	for name, tt := range map[string]struct {
		from, to time.Duration
		want     string
	}{
		"begins now":    {0, time.Hour, ""},
		"ends now":      {-time.Hour, 0, ""},
		"not yet valid": {time.Second, time.Hour, "is valid from"},
		"over":          {-time.Hour, -time.Second, "was valid until"},
	} {
		cert := issue(t, template("d", lasting(tt.from, tt.to)), ecDevice(), nil)
		registers(t, name, gateway.ES256X509, cert.pem(), tt.want)
		// Afterwards its dates do not count.
		accepts(t, name, ecDevice().token(), gateway.Credential{Format: gateway.ES256X509, PEM: cert.pem()})
	}
}

func TestRegisterWithAuthorities(t *testing.T) {
	root := issue(t, template("root", asCA), ecOther(), nil)
	rsaRoot := issue(t, template("RSA root", asCA), rsaDevice(), nil)
	middle := issue(t, template("middle", asCA), rsaDevice(), root)
	namesake := issue(t, template("root", asCA), rsaDevice(), nil)
	renamed := issue(t, template("new root", asCA), ecOther(), nil)
	over := issue(t, template("root", asCA, lasting(-time.Hour, -time.Second)), ecOther(), nil)
	leaf := issue(t, template("leaf"), ecOther(), nil)

	// What the authorities issue, and what they are asked of.
	for name, tt := range map[string]struct {
		authorities []string
		credential  gateway.Credential
		want        string
	}{
		"issued":                  {[]string{root.pem()}, x509Of(t, root), ""},
		"by the second of two":    {[]string{root.pem(), rsaRoot.pem()}, x509Of(t, rsaRoot), ""},
		"by an intermediate":      {[]string{root.pem()}, x509Of(t, middle), "not issued by"},
		"the intermediate itself": {[]string{root.pem(), middle.pem()}, x509Of(t, middle), ""},
		"by a namesake":           {[]string{root.pem()}, x509Of(t, namesake), "not issued by"},
		"by its former name":      {[]string{renamed.pem()}, x509Of(t, root), "not issued by"},
		"by another":              {[]string{rsaRoot.pem()}, x509Of(t, root), "not issued by"},
		"authority over":          {[]string{over.pem()}, x509Of(t, root), "not issued by"},
		"authority broken":        {[]string{"-----BEGIN"}, x509Of(t, root), "not issued by"},
		"by what is no authority": {[]string{leaf.pem()}, x509Of(t, leaf), "not issued by"},
		"self-signed":             {[]string{root.pem()}, gateway.Credential{Format: gateway.ES256X509, PEM: selfSigned(t, ecDevice())}, "not issued by"},
		"a bare key":              {[]string{root.pem()}, ecDevice().Credential, "a bare key"},
		"the authority's own":     {[]string{root.pem()}, gateway.Credential{Format: gateway.ES256X509, PEM: root.pem()}, "the registry's own"},
		"no authorities":          {nil, gateway.Credential{Format: gateway.ES256X509, PEM: selfSigned(t, ecDevice())}, ""},
	} {
		_, err := auth.Register(tt.credential, tt.authorities, now)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// x509Of is ecDevice's credential, issued.
func x509Of(t *testing.T, by *issuer) gateway.Credential {
	t.Helper()
	return gateway.Credential{Format: gateway.ES256X509, PEM: issue(t, template("subject is not verified"), ecDevice(), by).pem()}
}

func TestRegisterAuthority(t *testing.T) {
	root := issue(t, template("root", asCA), ecOther(), nil)
	for name, tt := range map[string]struct{ text, want string }{
		"ES256":         {root.pem(), ""},
		"RSA":           {issue(t, template("root", asCA), rsaDevice(), nil).pem(), ""},
		"not a CA's":    {selfSigned(t, ecOther()), "not an authority's"},
		"a key":         {ecOther().PEM, "a key"},
		"over":          {issue(t, template("root", asCA, lasting(-time.Hour, -time.Second)), ecOther(), nil).pem(), "was valid until"},
		"not yet valid": {issue(t, template("root", asCA, lasting(time.Second, time.Hour)), ecOther(), nil).pem(), "is valid from"},
		"two":           {root.pem() + root.pem(), "more than one"},
		"none":          {"", "not a PEM block"},
	} {
		_, err := auth.RegisterAuthority(tt.text, now)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
