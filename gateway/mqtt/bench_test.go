package mqtt

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// endless plays the same packets again and again, so many bytes in all.
type endless struct {
	tape
	packets []byte
	at      int
	left    int
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left <= 0 {
		return e.tape.Read(nil)
	}
	n := copy(b, e.packets[e.at:])
	e.at = (e.at + n) % len(e.packets)
	e.left -= n
	return n, nil
}

// A publish of 71 bytes from the reader to its PUBACK in the queue, without TLS and
// without system calls.
func BenchmarkPublish(b *testing.B) {
	body := `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`
	for _, qos := range []uint16{0, 1} {
		b.Run(fmt.Sprintf("QoS%d", qos), func(b *testing.B) {
			p := publish("/devices/device1/events/temperature", qos, body)
			d := newDesk(b, "device1", nil)
			d.take = func(_ event, done func(error)) { done(nil) }
			d.in.conn = &endless{tape: tape{bytes.NewReader(nil)}, packets: p, left: len(p) * b.N}
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for range b.N {
				pk, err := d.in.next(d.ctx, maxPublish, nil)
				if err != nil {
					b.Fatal(err)
				}
				if why := d.serve(d.ctx, pk); why != "" {
					b.Fatal(why)
				}
				d.out = d.out[:0]
			}
		})
	}
}

// The same over TLS and loopback, one device, with all that a connection costs.
func BenchmarkPublishTLS(b *testing.B) {
	s := open(b, func(s *Server) { s.Limits.Inflight = 1000 })
	s.house.take = func(_ event, done func(error)) { done(nil) }
	c := s.connect("device1")
	p := publish("/devices/device1/events/temperature", 1, strings.Repeat("x", 71))
	b.ReportAllocs()
	b.ResetTimer()
	go func() {
		for range b.N {
			c.conn.Write(p)
		}
	}()
	c.conn.SetReadDeadline(time.Time{})
	buf := make([]byte, 4096)
	for n := 0; n < 4*b.N; {
		m, err := c.in.Read(buf)
		if err != nil {
			b.Fatal(err)
		}
		n += m
	}
}

// What a session takes after it has published; the client's half is in it, too.
func BenchmarkSessionMemory(b *testing.B) {
	s := open(b, nil)
	const n = 500
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		name := fmt.Sprintf("many%d", i)
		s.house.add(name, 3_000_000_000_000_000+uint64(i), false)
		c := s.connect(name)
		for id := range uint16(5) {
			c.send(publish("/devices/"+name+"/events", id+1, "x"))
			c.expect(puback(id + 1))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n/1024, "heap-KiB/pair")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n/1024, "stack-KiB/pair")
	b.ReportMetric(float64(runtime.NumGoroutine())/n, "goroutines/pair")
}
