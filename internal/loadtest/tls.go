package loadtest

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
)

// ClientTLS is how the fleet speaks TLS: 1.3, or 1.2 alone, with the key exchange
// that small devices have.
func ClientTLS(version12 bool) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}}
	if version12 {
		c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	}
	return c
}

// Trust has the fleet expect the address's host in the server's certificate, issued
// by the authorities of a PEM file; "" is those that this machine trusts.
func Trust(c *tls.Config, address, authorities string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	c.ServerName = host
	if authorities == "" {
		return nil
	}
	text, err := os.ReadFile(authorities)
	if err != nil {
		return err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("%s: no certificate in PEM", authorities)
	}
	return nil
}
