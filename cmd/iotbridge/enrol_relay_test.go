package main

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
)

// instant is one of a TLS connection: it was made, a record has come to the relay, half of
// the record has been passed on.
type instant struct {
	port   string
	conn   int  // since watch was set
	up     bool // from the device
	record int  // -1: the connection was made
	half   bool
}

// relay stands between devices and a gateway, and stays where it is when the gateway is
// started anew elsewhere.
type relay struct {
	port     string // what it is called
	listener net.Listener
	see      func(instant) (cut bool) // nil: what passes is no TLS
	open     sync.WaitGroup

	mu    sync.Mutex
	to    string // "": nobody is there
	conns map[net.Conn]bool
}

func newRelay(t *testing.T, port string, see func(instant) bool) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{port: port, listener: l, see: see, conns: map[net.Conn]bool{}}
	r.open.Go(r.accept)
	t.Cleanup(func() {
		l.Close()
		r.cut()
		r.open.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) point(to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

func (r *relay) accept() {
	for n := 0; ; n++ {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.open.Go(func() { r.serve(near, n) })
	}
}

func (r *relay) serve(near net.Conn, n int) {
	defer near.Close()
	if r.see != nil && r.see(instant{r.port, n, true, -1, false}) {
		return
	}
	r.mu.Lock()
	to := r.to
	r.mu.Unlock()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	r.mu.Lock()
	r.conns[near], r.conns[far] = true, true
	r.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { r.pass(far, near, n, true) })
	both.Go(func() { r.pass(near, far, n, false) })
	both.Wait()
	r.mu.Lock()
	delete(r.conns, near)
	delete(r.conns, far)
	r.mu.Unlock()
}

// pass passes on what comes; an end too, and all of it when it is cut.
func (r *relay) pass(to, from net.Conn, n int, up bool) {
	defer to.(*net.TCPConn).CloseWrite()
	if r.see == nil {
		io.Copy(to, from)
		return
	}
	for i := 0; ; i++ {
		record := make([]byte, 5, 5+1<<14+256)
		if _, err := io.ReadFull(from, record); err != nil {
			return
		}
		record = record[:5+binary.BigEndian.Uint16(record[3:])]
		if _, err := io.ReadFull(from, record[5:]); err != nil {
			return
		}
		half := len(record) / 2
		for _, part := range []struct {
			half  bool
			bytes []byte
		}{{false, record[:half]}, {true, record[half:]}} {
			if r.see(instant{r.port, n, up, i, part.half}) {
				to.Close()
				from.Close()
				return
			}
			if _, err := to.Write(part.bytes); err != nil {
				from.Close()
				return
			}
		}
	}
}
