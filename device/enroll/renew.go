package enroll

import (
	"context"
	"crypto"
	"time"

	"go.uber.org/zap"
)

// longest is how long nobody looks at the clock, which may be set meanwhile.
const longest = time.Hour

// Run renews the credential of a device that has one, when it is time, until ctx ends;
// nil then. An error is a folder that another process has, or a key's file that is not
// to be used: the device goes on with what it has, and does not renew.
func (e *Enroller) Run(ctx context.Context) error {
	d, done, err := e.take()
	if err != nil {
		return err
	}
	defer done()
	own, err := readEnrolled(d, e.name())
	if err != nil || own == nil {
		return err
	}
	e.tidy(d, own)
	e.granted(own.identity)
	late := e.late(own.identity)
	for failures := 0; ctx.Err() == nil; {
		now := e.Clock.Now()
		due := own.identity.RenewAfter.Add(late)
		if !e.Clock.Plausible() || now.Before(due) {
			wait := clockPoll
			if e.Clock.Plausible() {
				wait = min(due.Sub(now), longest)
			}
			e.rest(ctx, d, own, wait)
			continue
		}
		e.set(func(s *Status) { s.State, s.NextAttempt = stateRenewing, time.Time{} })
		fresh, err := e.again(ctx, d, own)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			wait := pause(err, failures)
			failures++
			e.failed(stateRenewing, err, wait)
			e.Log.Warn("the credential is not renewed yet", zap.String("error", brief(err)),
				zap.Time("ends", own.identity.Certificate.NotAfter), zap.Duration("nextIn", wait.Round(time.Second)))
			for end := now.Add(wait); ctx.Err() == nil && e.Clock.Now().Before(end); {
				e.rest(ctx, d, own, min(end.Sub(e.Clock.Now()), longest))
			}
			continue
		}
		own, failures, late = fresh, 0, e.late(fresh.identity)
		e.Log.Info("renewed", zap.String("device", own.identity.Name()), zap.Time("until", own.identity.Certificate.NotAfter))
		e.granted(own.identity)
		if e.Renewed != nil {
			e.Renewed()
		}
	}
	return nil
}

// again asks with the certificate that the device has; when that one has expired, with
// the bootstrap certificate, and the profile decides.
func (e *Enroller) again(ctx context.Context, d files, own *enrolled) (*enrolled, error) {
	present := own.identity.Certificate
	if !e.Clock.Now().Before(present.NotAfter) {
		return e.first(ctx, d, own)
	}
	r, err := e.request(d, own.identity.Serial, present)
	if err != nil {
		return nil, err
	}
	g, err := e.renew(ctx, own, r)
	if err != nil {
		return nil, err
	}
	return e.store(d, r, g, own)
}

// late spreads a fleet that was enrolled in one afternoon over a twentieth of what is
// left after RenewAfter.
func (e *Enroller) late(i *Identity) time.Duration {
	return jitter(max(0, i.Certificate.NotAfter.Sub(i.RenewAfter)/20))
}

// tidy removes what was asked for and granted before the power went.
func (e *Enroller) tidy(d files, own *enrolled) {
	text, err := d.Read(e.next())
	if err != nil {
		return
	}
	defer clear(text)
	if r, err := parseRequest(text); err == nil && r.key.Equal(own.key) {
		if err := remove(d, e.next()); err != nil {
			e.Log.Warn("what was asked for is not taken away", zap.Error(err))
		}
	}
}

// Accepted says which key the gateway has let in: when it is the newest, the one before
// goes. It returns at once.
func (e *Enroller) Accepted(key crypto.PublicKey) {
	e.prepare()
	e.mu.Lock()
	e.accepted = key
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// rest waits, or is woken because a key was let in.
func (e *Enroller) rest(ctx context.Context, d files, own *enrolled, wait time.Duration) {
	e.sleep(ctx, wait, e.wake)
	e.mu.Lock()
	news := e.accepted
	e.accepted = nil
	e.mu.Unlock()
	if news == nil || !own.key.PublicKey.Equal(news) {
		return
	}
	if err := remove(d, e.old()); err != nil {
		e.Log.Warn("the key before the present one is still there", zap.String("file", e.Old()), zap.Error(err))
	}
}
