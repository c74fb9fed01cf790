package provision

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// Recorder is what of a gateway.Admin is told what was refused.
type Recorder interface {
	Record(ctx context.Context, e gateway.AuditEntry) error
}

const (
	tallyTime  = time.Hour // of which refusals are counted together
	maxLines   = 60        // in the log, a minute
	maxTallies = 4096      // beyond them profiles are counted together
	maxDue     = 256       // records that wait to be written
	recordTime = 5 * time.Second
)

// kind is what refusals are counted by. The profile is one that there is, or "".
type kind struct {
	profile string
	code    Code
}

// tally counts refusals of a kind.
type tally struct {
	since  time.Time
	n      uint64
	minute time.Time
	lines  int // in the log, since minute
	silent int // that were not logged
}

// tallies let a flood of refusals be seen, and fill neither the log nor the audit log.
// The zero value is ready for use.
type tallies struct {
	mu   sync.Mutex
	of   map[kind]*tally
	due  []gateway.AuditEntry
	wake chan struct{} // of one; made by the server
}

// add counts a refusal: logged says that it has a line in the log, silent how many
// before it had none.
func (l *tallies) add(k kind, e gateway.AuditEntry, now time.Time) (logged bool, silent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.find(k, now)
	if t.n++; audited(k.code) && isPowerOfTen(t.n) && len(l.due) < maxDue {
		if t.n > 1 {
			e.Detail += fmt.Sprintf(", %d since %s", t.n, t.since.UTC().Format(time.RFC3339))
		}
		l.due = append(l.due, e)
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	if now.Sub(t.minute) >= time.Minute {
		t.minute, t.lines = now, 0
	}
	if t.lines == maxLines {
		t.silent++
		return false, 0
	}
	t.lines++
	silent, t.silent = t.silent, 0
	return true, silent
}

func (l *tallies) find(k kind, now time.Time) *tally {
	t := l.of[k]
	if t != nil && now.Sub(t.since) < tallyTime {
		return t
	}
	if t == nil && len(l.of) >= maxTallies {
		for old, t := range l.of {
			if now.Sub(t.since) >= tallyTime {
				delete(l.of, old)
			}
		}
		if len(l.of) >= maxTallies && k.profile != "" {
			return l.find(kind{"", k.code}, now)
		}
	}
	if t == nil {
		t = &tally{}
	}
	if l.of == nil {
		l.of = map[kind]*tally{}
	}
	t.since, t.n = now, 0
	l.of[k] = t
	return t
}

func (l *tallies) take() (due []gateway.AuditEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	due, l.due = l.due, nil
	return due
}

func isPowerOfTen(n uint64) bool {
	for n > 0 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// audited says that a refusal of the code is of who asks, and changes no claim: those
// that do are in the audit log with what they change.
func audited(c Code) bool {
	switch statusOf(c) {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return false
}

// refusalOf is the record of a refusal. Who has asked is known by address alone.
func refusalOf(profile, serial, request string, from netip.Addr, why *Refusal) gateway.AuditEntry {
	e := gateway.AuditEntry{Actor: "provisioning", Action: "provision_refuse", Object: "provisioning"}
	if profile != "" {
		e.Actor += "/" + profile
		e.Object += "/profiles/" + profile
		if serial != "" {
			e.Object += "/claims/" + serial
		}
	}
	e.Detail = fmt.Sprintf("%s, request %s from %s", why.Code, printable(request, maxSubject), from)
	return e
}

// Run writes the records of what was refused until ctx ends, and then the last of them.
func (s *Server) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			s.record(context.WithoutCancel(ctx))
			return nil
		case <-s.tallies.wake: // it may be the end as well
			s.record(context.WithoutCancel(ctx))
		}
	}
}

// record writes what is due. What cannot be written is lost here, and has been logged.
func (s *Server) record(ctx context.Context) {
	due := s.tallies.take()
	if s.Audit == nil || len(due) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	for i, e := range due {
		if err := s.Audit.Record(ctx, e); err != nil {
			s.Log.Error("refusals of boards are missing from the audit log", zap.Int("records", len(due)-i), zap.Error(err))
			return
		}
	}
}
