package enroll

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	askTime   = 75 * time.Second // the gateway may ask the owner's function for 30 s, twice
	maxAnswer = 64 << 10
	maxHeader = 16 << 10
)

// enrollJSON asks for a device's first credential.
func (e *Enroller) enrollJSON(ctx context.Context, r *request, u Unit) (*grant, error) {
	pair, err := e.Bootstrap.Load()
	if err != nil {
		return nil, err
	}
	body := struct {
		RequestID   string `json:"requestId"`
		Identifiers Unit   `json:"identifiers"`
		CSR         string `json:"csr"`
		ClaimProof  string `json:"claimProof,omitempty"`
	}{r.id, u, armour(blockRequest, r.csr), ""}
	if e.ClaimSecret != "" {
		if body.ClaimProof, err = claimProof(e.ClaimSecret, r.csr); err != nil {
			return nil, err
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	answer, err := e.ask(ctx, pair, http.MethodPost, "/v1/provisioning/"+url.PathEscape(e.Profile)+":enroll", "application/json", text)
	if err != nil {
		return nil, err
	}
	return parseGrant(answer)
}

// renew asks for a certificate for another key: over EST, and for what else there is to
// know of the device over JSON, both with the certificate that it has.
func (e *Enroller) renew(ctx context.Context, own *enrolled, r *request) (*grant, error) {
	body := []byte(base64.StdEncoding.EncodeToString(r.csr))
	answer, err := e.ask(ctx, own.pair(), http.MethodPost, "/.well-known/est/"+url.PathEscape(e.Profile)+"/simplereenroll", "application/pkcs10", body)
	if err != nil {
		return nil, err
	}
	certificate, err := certificateFor(answer, r.key.Public())
	if err != nil {
		return nil, err
	}
	g := &grant{leaf: certificate}
	if answer, err = e.ask(ctx, own.pair(), http.MethodGet, "/v1/provisioning/self", "", nil); err == nil {
		var self *grant
		if self, err = parseGrant(answer); err == nil && self.leaf.Equal(certificate) {
			return self, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return g, nil // the certificate is what counts; the rest stays as it was
}

// ask sends one request and returns its answer's body. An answer that grants nothing is
// a *Refused.
func (e *Enroller) ask(ctx context.Context, own tls.Certificate, method, path, kind string, body []byte) ([]byte, error) {
	at, err := ParseURL(e.URL)
	if err != nil {
		return nil, fmt.Errorf("PROVISION_URL: %w", err)
	}
	roots, err := e.Roots()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range roots {
		pool.AddCert(c)
	}
	r, err := http.NewRequestWithContext(ctx, method, at.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	r.Header.Set("User-Agent", "iotbridge-agent")
	answer, err := exchange(r, &tls.Config{
		RootCAs: pool, MinVersion: tls.VersionTLS12, Time: e.Clock.Now, ServerName: at.Hostname(), NextProtos: []string{"http/1.1"},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
	})
	switch {
	case err != nil:
		return nil, explain(err)
	case len(answer.body) > maxAnswer:
		return nil, fmt.Errorf("the gateway's answer has more than %d bytes", maxAnswer)
	case answer.status == http.StatusOK || answer.status == http.StatusCreated:
		return answer.body, nil
	}
	return nil, e.refused(answer)
}

// reply is an answer that has been read.
type reply struct {
	status     int
	retryAfter string
	body       []byte // one byte more than maxAnswer, when it was too large
}

// exchange is one request and its answer on a connection of their own. It is not
// http.Client's, which would bring what this one must not do (proxies, redirects,
// connections that are kept) and HTTP/2, a twentieth of the program.
func exchange(r *http.Request, c *tls.Config) (_ *reply, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTime)
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil { // and not that the connection was closed
			err = ctx.Err()
		}
	}()
	port := r.URL.Port()
	if port == "" {
		port = "443"
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(r.URL.Hostname(), port))
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := tls.Client(raw, c)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	r.Close = true
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxHeader+maxAnswer)), r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("its answer did not come whole: %w", err)
	}
	return &reply{answer.StatusCode, answer.Header.Get("Retry-After"), text}, nil
}

func (e *Enroller) refused(answer *reply) *Refused {
	r := &Refused{Status: answer.status, After: retryAfter(answer.retryAfter, e.Clock.Now())}
	var problem struct{ Code, RequestID string }
	if json.Unmarshal(answer.body, &problem) == nil {
		r.Code, r.RequestID = word(problem.Code), word(problem.RequestID)
	}
	return r
}

// word is s if it is one, and may be shown and logged.
func word(s string) string {
	if len(s) > 64 || strings.ContainsFunc(s, func(c rune) bool {
		return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return ""
	}
	return s
}

// explain names the cause, and its cure where there is one.
func explain(err error) error {
	var (
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		noTLS     tls.RecordHeaderError
	)
	cure := "no answer from the gateway"
	switch {
	case errors.As(err, &authority):
		cure = "the gateway's certificate is not signed by an authority that is pinned here: put the authority's certificate into GOOGLE_ROOT_CERT"
	case errors.As(err, &hostname):
		cure = "the gateway's certificate is for another host: use the name that it was made for in PROVISION_URL"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		cure = "the gateway's certificate is not valid at this machine's time: set the clock, or renew the certificate"
	case errors.As(err, &noTLS):
		cure = "this port does not speak TLS: check PROVISION_URL"
	}
	return fmt.Errorf("%s: %w", cure, err)
}
