package site

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	iot "cloud.google.com/go/iot/apiv1"
	"google.golang.org/api/option"
)

// ErrNoGateway says that nobody serves Device Manager.
var ErrNoGateway = errors.New("no gateway serves here: start one with iotbridge local, or name its address with --api")

// maxToken bounds an operator's token, in bytes.
const maxToken = 4 << 10

// OpenDeviceManager returns the stock client of the site's Device Manager, over REST.
func (s *Site) OpenDeviceManager(ctx context.Context) (*iot.DeviceManagerClient, error) {
	client, err := s.OpenAPI()
	if err != nil {
		return nil, err
	}
	return iot.NewDeviceManagerRESTClient(ctx, option.WithEndpoint(s.API), option.WithHTTPClient(client), option.WithTelemetryDisabled())
}

// OpenAPI returns a client that is the operator to the site's API. A token is shown on
// loopback or inside TLS only, and to that host alone.
func (s *Site) OpenAPI() (*http.Client, error) {
	if s.API == "" {
		return nil, ErrNoGateway
	}
	at, err := url.Parse(s.API)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, fmt.Errorf("api %q: want http://HOST:PORT or https://HOST:PORT", s.API)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}
	if s.CA != "" {
		roots, err := Roots(s.CA)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	operator := &operator{next: transport}
	if s.AdminToken != "" {
		if at.Scheme == "http" && !loopback(at.Hostname()) {
			return nil, fmt.Errorf("api %s: a token would cross the network unencrypted: use https", s.API)
		}
		if operator.token, err = readToken(s.AdminToken); err != nil {
			return nil, err
		}
	}
	return &http.Client{Transport: operator, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// operator sends a token with each request.
type operator struct {
	token string
	next  http.RoundTripper
}

func (o *operator) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+o.token)
	}
	return o.next.RoundTrip(r)
}

func readToken(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("operator's token: %w", err)
	}
	token := bytes.TrimSpace(text)
	if len(token) == 0 || len(token) > maxToken || bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("operator's token: %s: want one word of at most %d bytes", name, maxToken)
	}
	return string(token), nil
}

// Roots reads the certificates of who is believed, in PEM.
func Roots(name string) (*x509.CertPool, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CA: %s: no certificate in PEM", name)
	}
	return roots, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
