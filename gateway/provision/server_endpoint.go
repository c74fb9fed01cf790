package provision

import (
	"net"
	"net/http"
)

// Endpoint is where a device that has its credential connects.
type Endpoint struct {
	Host string // "": the name by which the device has reached this server
	Port int    // 0: not served
}

// location is an endpoint as an answer names it.
type location struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// reached is nil when devices cannot connect there.
func (e Endpoint) reached(r *http.Request) *location {
	if e.Port == 0 {
		return nil
	}
	host := e.Host
	if host == "" {
		host = r.TLS.ServerName
	}
	if host == "" { // it has connected to an address
		if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			host, _, _ = net.SplitHostPort(local.String())
		}
	}
	return &location{host, e.Port}
}
