package devicemanager

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

const (
	// nobody is the actor of calls without an operator; no operator is called so.
	nobody = "-"
	// Of what one operator is denied, and all of nobody's, so much is written into the
	// audit log at once, and then one each deniedEvery. The entries stay for ever.
	deniedAtOnce = 10
	deniedEvery  = time.Minute
	deniedTime   = 2 * time.Second // for the store to take it
)

// denials bounds what is written of them.
type denials struct {
	mu    sync.Mutex
	quota map[string]*quota // by actor
}

type quota struct {
	due    time.Time // when all is written at exactly its rate (GCRA)
	missed int       // since the last one that was written
}

// take says whether a denial is to be written, and how many were not since the last.
func (d *denials) take(actor string, now time.Time) (missed int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.quota[actor]
	if q == nil {
		if d.quota == nil {
			d.quota = map[string]*quota{}
		}
		q = &quota{}
		d.quota[actor] = q
	}
	if q.due.Before(now) {
		q.due = now
	}
	if q.due.Sub(now) > (deniedAtOnce-1)*deniedEvery {
		q.missed++
		return 0, false
	}
	q.due = q.due.Add(deniedEvery)
	missed, q.missed = q.missed, 0
	return missed, true
}

// denied writes a denial into the audit log. That it cannot be written changes nothing
// for the caller, who is denied anyway.
func (s *Server) denied(ctx context.Context, actor, object, detail string) {
	missed, ok := s.denials.take(actor, time.Now())
	if !ok {
		return
	}
	if missed > 0 {
		detail += fmt.Sprintf("; %d before it are not written", missed)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deniedTime)
	defer cancel()
	if err := s.Admin.Record(ctx, gateway.AuditEntry{Actor: actor, Action: "denied", Object: object, Detail: detail}); err != nil {
		s.log().Error("a denial is not in the audit log", zap.Error(err))
	}
}

// address is the host of a caller; the zero one when it has none.
func address(remote string) netip.Addr {
	at, _ := netip.ParseAddrPort(remote)
	return at.Addr()
}
