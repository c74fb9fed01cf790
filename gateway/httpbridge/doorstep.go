package httpbridge

import (
	"net"
	"net/netip"
	"sync"
)

// doorstep is a listener that closes the connections for which there is no room,
// in all or from their address.
type doorstep struct {
	net.Listener
	limits *Limits

	mu   sync.Mutex
	all  int
	from map[netip.Prefix]int
}

func (d *doorstep) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := neighbourhood(c.RemoteAddr())
		if d.enter(from) {
			return &guest{Conn: c, leave: sync.OnceFunc(func() { d.leave(from) })}, nil
		}
		c.Close()
	}
}

func (d *doorstep) enter(from netip.Prefix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all >= d.limits.Connections || d.from[from] >= d.limits.PerAddress {
		return false
	}
	if d.from == nil {
		d.from = map[netip.Prefix]int{}
	}
	d.all++
	d.from[from]++
	return true
}

func (d *doorstep) leave(from netip.Prefix) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all--
	if d.from[from]--; d.from[from] == 0 {
		delete(d.from, from)
	}
}

// guest is a connection that gives its place back.
type guest struct {
	net.Conn
	leave func()
}

func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}

// neighbourhood is what counts as one address: an IPv6 host may take any of its /64.
func neighbourhood(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip, bits := tcp.AddrPort().Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits)
	return p
}
