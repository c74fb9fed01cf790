package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// enrolTime is how long one enrolment may take.
const enrolTime = 30 * time.Second

// maxGrant bounds an answer.
const maxGrant = 64 << 10

// Enrolments is a load of boards without keys: each asks once, on a connection of its
// own with a full handshake, as boards do.
type Enrolments struct {
	Address string
	TLS     *tls.Config // with the bootstrap certificate
	Path    string      // that is asked
	Boards  []Board
	AtOnce  int // boards that ask at a time
	PID     int // of the server, if it is here
}

// Enrolled is how a server bore it.
type Enrolled struct {
	Server string  `json:"server"`
	Boards int     `json:"boards"`
	Rate   float64 `json:"perSecond"`
	P50    float64 `json:"p50"`     // ms, from the first packet to the whole answer
	P99    float64 `json:"p99"`     // ms
	CPU    float64 `json:"cpu"`     // of the server, µs an enrolment; 0: not known
	Own    float64 `json:"loadCPU"` // of this process, likewise
}

// Run has all boards ask. That one is not granted is an error.
func (e *Enrolments) Run(ctx context.Context, server string) (*Enrolled, error) {
	if len(e.Boards) == 0 || e.AtOnce < 1 {
		return nil, errors.New("a load needs boards that ask")
	}
	if err := NeedFiles(e.AtOnce + spareFiles); err != nil {
		return nil, err
	}
	if err := onThisMachine(ctx, e.Address); err != nil {
		return nil, err
	}
	load := Load{PID: e.PID}
	var next atomic.Int64
	var times latency
	before, own, begin := load.usage(), ownUsage(), time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for range min(e.AtOnce, len(e.Boards)) {
		g.Go(func() error {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(e.Boards) {
					return nil
				}
				b := &e.Boards[i]
				asked := time.Now()
				if err := e.ask(ctx, b); err != nil {
					return fmt.Errorf("%s: board %s: %w", server, b.Serial, err)
				}
				times.add(time.Since(asked))
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	n, took := float64(len(e.Boards)), time.Since(begin)
	return &Enrolled{
		Server: server, Boards: len(e.Boards), Rate: n / took.Seconds(),
		P50: milliseconds(times.quantile(0.50)), P99: milliseconds(times.quantile(0.99)),
		CPU: microseconds(load.usage().cpu-before.cpu) / n, Own: microseconds(ownUsage().cpu-own.cpu) / n,
	}, nil
}

// ask is one enrolment.
func (e *Enrolments) ask(ctx context.Context, b *Board) error {
	ctx, cancel := context.WithTimeout(ctx, enrolTime)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", e.Address)
	if err != nil {
		return err
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { raw.Close() })()
	conn := tls.Client(raw, e.TLS)
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
		e.Path, e.TLS.ServerName, len(b.body))
	if _, err := conn.Write(append(request, b.body...)); err != nil { // it shakes hands first
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxGrant))
	if err != nil {
		return err
	}
	var granted struct{ Certificate string }
	if answer.StatusCode != http.StatusCreated || json.Unmarshal(text, &granted) != nil || granted.Certificate == "" {
		return fmt.Errorf("not granted: %s %s", answer.Status, bytes.TrimSpace(text[:min(len(text), 200)]))
	}
	return nil
}
