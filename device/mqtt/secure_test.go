package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// at has u speak TLS with a server of this configuration.
func at(t testing.TB, config *tls.Config, serve func(p *peer)) *Uplink {
	t.Helper()
	u := uplinkTo(t, nil)
	address := listen(t, config, serve)
	u.Timeout = time.Minute
	u.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return u
}

func TestD3_NobodyElseIsTakenForTheGateway(t *testing.T) {
	other := newAuthority("CA 1") // the same name, another key
	past := ourCA.issue(func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Unix(0, 0), time.Unix(1e9, 0) })
	future := ourCA.issue(func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	})
	self := newKey()
	selfSigned := &x509.Certificate{DNSNames: []string{host}, Subject: pkix.Name{CommonName: host}}
	underling := newAuthority("not one of ours")
	underling.cert = sign(&x509.Certificate{Subject: pkix.Name{CommonName: "no CA"}, DNSNames: []string{host}}, ourCA.cert, underling.key.Public(), ourCA.key)
	viaUnderling := underling.issue(nil)
	viaUnderling.Certificate = append(viaUnderling.Certificate, underling.cert.Raw)
	forClients := ourCA.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	old := func(version uint16) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ourCert}, MinVersion: tls.VersionTLS10, MaxVersion: version}
	}

	for _, c := range []struct {
		name   string
		config *tls.Config
		want   string // "": is let in
	}{
		{"ours", serverTLS(ourCert), ""},
		{"TLS 1.2", old(tls.VersionTLS12), ""},
		{"wrong CA", serverTLS(other.issue(nil)), "not signed by an authority in "},
		{"wrong host", serverTLS(ourCA.issue(func(c *x509.Certificate) { c.DNSNames = []string{"other.test"} })), "is for another host"},
		{"CN only", serverTLS(ourCA.issue(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil })), "names it in the CN only"},
		{"expired", serverTLS(past), "set the clock, or renew the certificate"},
		{"not yet valid", serverTLS(future), "set the clock"},
		{"self-signed", serverTLS(tls.Certificate{Certificate: [][]byte{sign(selfSigned, selfSigned, self.Public(), self).Raw}, PrivateKey: self}), "not signed by an authority in "},
		{"signed by a server", serverTLS(viaUnderling), "certificate"},
		{"a client's", serverTLS(forClients), "certificate"},
		{"TLS 1.1", old(tls.VersionTLS11), "no TLS 1.2 or newer"},
		{"TLS 1.0", old(tls.VersionTLS10), "no TLS 1.2 or newer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard := make(chan struct{}, 1)
			u := at(t, c.config, func(p *peer) {
				if c.want != "" {
					if _, ok := p.want(1); ok {
						heard <- struct{}{}
					}
					return
				}
				good(p)
			})
			err := u.Accepted(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), host)):
				t.Errorf("%v, want %q", err, c.want)
			case len(heard) != 0:
				t.Error("a token was sent to a stranger")
			}
		})
	}
}

func TestD3_TheHostIsTheAddressesAndTheTimeTheClocks(t *testing.T) {
	u := at(t, serverTLS(ourCert), good)
	u.Address = "elsewhere.test:8883"
	if err := u.Accepted(t.Context()); err == nil || !strings.Contains(err.Error(), "is for another host") {
		t.Errorf("a certificate for %s: %v", host, err)
	}
	u.Address = host + ":8883"
	u.Now = func() time.Time { return time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }
	if err := u.Accepted(t.Context()); err == nil || !strings.Contains(err.Error(), "not valid at this machine's time, 2200-01-01") {
		t.Errorf("a clock that is ahead: %v", err)
	}
}

func TestD3_APortWithoutTLS(t *testing.T) {
	u := uplinkTo(t, nil)
	u.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			theirs.Read(make([]byte, 1<<16))
			theirs.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		}()
		return ours, nil
	}
	if err := u.Accepted(t.Context()); err == nil || !strings.Contains(err.Error(), "does not speak TLS on this port") {
		t.Error(err)
	}
}

func TestD3_NoCodeHereTurnsVerificationOff(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	off := regexp.MustCompile("Insecure" + "SkipVerify|VerifyPeer" + "Certificate|VerifyConn" + "ection:")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := off.Find(text); found != nil {
			t.Errorf("%s: %s", name, found)
		}
	}
}

// A fleet gets the new authority beside the old one before the gateway changes over.
func TestB23_ABundleOfTwoRootsRidesOutARollover(t *testing.T) {
	next := newAuthority("CA 2")
	for _, cert := range []tls.Certificate{ourCert, next.issue(nil)} {
		u := at(t, serverTLS(cert), good)
		u.Roots = bundle(t, ourCA, next)
		if err := u.Accepted(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestB23_TheBundleIsReadAtEachConnect(t *testing.T) {
	next := newAuthority("CA 2")
	u := at(t, serverTLS(next.issue(nil)), good)
	if err := u.Accepted(t.Context()); err == nil {
		t.Fatal("accepted under another authority")
	}
	text, err := os.ReadFile(bundle(t, ourCA, next))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(u.Roots, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := u.Accepted(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRootsThatAreNone(t *testing.T) {
	for _, c := range []struct {
		path, want string
	}{
		{filepath.Join(t.TempDir(), "roots.pem"), "no such file"},
		{writeFile(t, "a", 0o644, nil), "no certificate in the file"},
		{writeFile(t, "b", 0o644, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), "x509"},
		{keyFile(t, ecKey), "holds a private key"},
		{writeFile(t, "c", 0o646, nil), "anybody may change"},
		{writeFile(t, "d", 0o644, make([]byte, maxRoots+1)), "more than"},
		{t.TempDir(), "is a directory"},
		{pipe(t), "no certificate in the file"}, // nobody waits for its other end
	} {
		if _, err := LoadRoots(c.path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func pipe(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheStepsOneByOne(t *testing.T) {
	address := listen(t, serverTLS(ourCert), good)
	u := uplinkTo(t, nil)
	u.Address, u.Dial, u.Timeout = address, nil, time.Minute

	if found, err := u.Resolve(t.Context()); err != nil || len(found) != 1 || !found[0].IsLoopback() {
		t.Errorf("Resolve: %v, %v", found, err)
	}
	if remote, err := u.Reach(t.Context()); err != nil || remote.String() != address {
		t.Errorf("Reach: %v, %v", remote, err)
	}
	peer, err := u.Handshake(t.Context())
	if err != nil || peer.Version != "TLS 1.3" || len(peer.Chain) != 2 || peer.Chain[0].Subject.CommonName != host || peer.Chain[1].Subject.CommonName != "CA 1" {
		t.Errorf("Handshake: %+v, %v", peer, err)
	}
	if err := u.Accepted(t.Context()); err != nil {
		t.Errorf("Accepted: %v", err)
	}

	u.Roots = bundle(t, newAuthority("CA 3"))
	if peer, err := u.Handshake(t.Context()); err == nil || len(peer.Chain) != 1 || peer.Chain[0].Issuer.CommonName != "CA 1" {
		t.Errorf("a stranger: %+v, %v; want him shown", peer, err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Address = closed.Addr().String()
	closed.Close()
	if _, err := u.Reach(t.Context()); err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("nobody listens: %v", err)
	}
}
