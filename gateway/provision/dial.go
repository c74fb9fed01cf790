package provision

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Hooks asks profiles' webhooks, over TLS, without redirects or a proxy. The address is
// looked at when it is dialled, after it was resolved: a name that is resolved to
// another address the next time gains nothing. The zero value is ready for use; Close
// it after the last request.
type Hooks struct {
	Private bool           // addresses of private networks and of this machine may be asked as well
	Roots   *x509.CertPool // nil: the system's

	resolver *net.Resolver
	once     sync.Once
	client   *http.Client
}

const (
	idleHooks = 16 // connections to one host that are kept
	idleTime  = time.Minute
	dialTime  = 3 * time.Second
	maxHeader = 16 << 10
)

func (h *Hooks) http() *http.Client {
	h.once.Do(func() {
		dialer := &net.Dialer{Timeout: dialTime, Resolver: h.resolver, ControlContext: h.control}
		h.client = &http.Client{
			Transport: &http.Transport{
				DialContext:     dialer.DialContext, // and no Proxy
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: h.Roots},
				MaxIdleConns:    idleHooks, MaxIdleConnsPerHost: idleHooks, IdleConnTimeout: idleTime,
				TLSHandshakeTimeout: dialTime, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
	return h.client
}

// Close ends the connections that are kept.
func (h *Hooks) Close() { h.http().CloseIdleConnections() }

// control is called with the very address that is connected to.
func (h *Hooks) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !h.may(to.Addr()) {
		return fmt.Errorf("a webhook may not be at %s", address)
	}
	return nil
}

// may says whether a webhook may be there.
func (h *Hooks) may(a netip.Addr) bool {
	a = a.Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	switch {
	case a.IsLoopback():
		return h.Private
	case a.Zone() != "", slices.ContainsFunc(never, in):
		return false
	case a.Is6() && !assigned.Contains(a) && !a.IsPrivate():
		return false
	case a.IsPrivate(), shared.Contains(a):
		return h.Private
	}
	return a.IsGlobalUnicast()
}

// shared is what carriers, and clouds, have inside.
var shared = netip.MustParsePrefix("100.64.0.0/10")

// assigned is all of IPv6 that the Internet is made of, and some that stand for others.
var assigned = netip.MustParsePrefix("2000::/3")

// never are where no function of an owner's is: the metadata of clouds, and what stands
// for addresses that may not be asked themselves.
var never = func() (list []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
		"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "fd00:ec2::254/128", "fd20:ce::254/128",
	} {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}()
