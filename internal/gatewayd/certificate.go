package gatewayd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"iotbridge/internal/watched"
)

// certificate is a server's, with its key, as the files have it now. While one of
// them is replaced and the other not yet, the pair before stays in force.
type certificate struct {
	*watched.File[*tls.Certificate]
}

func openCertificate(what, file, key string) (certificate, error) {
	pair, err := watched.Open(file, func(text []byte) (*tls.Certificate, error) { return parsePair(text, file, key) })
	if err != nil {
		return certificate{}, fmt.Errorf("%s: %w (want a certificate and its key, each a file in PEM that the gateway may read)", what, err)
	}
	return certificate{pair}, nil
}

func parsePair(text []byte, file, key string) (*tls.Certificate, error) {
	secret, err := os.ReadFile(key)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(text, secret)
	if err != nil {
		return nil, fmt.Errorf("with the key %s: %w", key, err)
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the certificate ended %s: renew %s", pair.Leaf.NotAfter.Format(time.DateTime), file)
	}
	return &pair, nil
}

// server is TLS with this certificate. Clients, if any, may show one that they issued.
func (c certificate) server(clients *x509.CertPool) *tls.Config {
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.Current(), nil },
	}
	if clients != nil {
		config.ClientCAs, config.ClientAuth = clients, tls.VerifyClientCertIfGiven
	}
	return config
}

func readAuthorities(what, file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: %s: no certificate in PEM", what, file)
	}
	return pool, nil
}
