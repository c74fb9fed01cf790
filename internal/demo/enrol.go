package demo

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"iotbridge/device/enroll"
	"iotbridge/device/mqtt"
)

// Stranger is the serial of one more board, which has the bootstrap certificate and is
// on no list.
const Stranger = "10000000FFFFFFFF"

// Provisioning is where boards without keys ask for them, and with what.
type Provisioning struct {
	URL       string // https://HOST:PORT
	Profile   string
	Bootstrap enroll.Bootstrap
}

// Enrolment is what became of the boards that asked.
type Enrolment struct {
	Enrolled  int `json:"enrolled"`  // have a credential of their own, those of earlier runs too
	Refused   int `json:"refused"`   // were told no, the stranger among them
	Intruders int `json:"intruders"` // have something that they must not have
}

// Enrol lets every device of the fleet that has no key ask for one, as the agent does,
// and the stranger with them. Who is refused is nobody, and publishes nothing; what
// passes is waited for, until ctx ends.
func (p *Publisher) Enrol(ctx context.Context, at *Provisioning) (*Enrolment, error) {
	stranger := p.Fleet.Size()
	boards := make([]board, stranger+1)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(calls)
	for index := range boards {
		group.Go(func() error { return boards[index].enrol(ctx, p, at, index) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	e := &Enrolment{}
	p.identities = make([]identity, stranger)
	for index, b := range boards {
		switch {
		case b.refused != nil:
			e.Refused++
		case index == stranger:
			e.Intruders++
		default:
			e.Enrolled++
			p.identities[index] = b.identity
		}
	}
	return e, nil
}

// board is one that has asked: it is somebody now, or was refused.
type board struct {
	identity
	refused *enroll.Refused
}

func (b *board) enrol(ctx context.Context, p *Publisher, at *Provisioning, index int) error {
	folder, serial, log := p.folder(index), p.Fleet.Serial(index), p.log(index)
	if index == p.Fleet.Size() {
		folder, serial, log = filepath.Join(p.Dir, "stranger"), Stranger, nil
	}
	e := &enroll.Enroller{ // set as the agent's program sets it
		Key: filepath.Join(folder, keyFile), URL: at.URL, Profile: at.Profile, Bootstrap: at.Bootstrap,
		Roots: func() ([]*x509.Certificate, error) { return mqtt.LoadRoots(p.Roots) },
		Unit:  enroll.Board{Serial: serial}.Unit, Clock: clock{time.Now()}, Log: log,
	}
	granted, err := ask(ctx, e)
	switch {
	case errors.As(err, &b.refused):
		if log != nil {
			log.Warn("it is refused, and publishes nothing", zap.Error(err))
		}
		return nil
	case err != nil:
		if last := e.Status().Error; last != "" && !strings.Contains(err.Error(), last) {
			err = fmt.Errorf("%w; the last answer: %s", err, last)
		}
		return fmt.Errorf("board %s: %w", serial, err)
	case log != nil && granted.Device != p.Fleet.Name(index):
		return fmt.Errorf("board %s: profile %s names it %s, want %s", serial, at.Profile, granted.Device, p.Fleet.Name(index))
	}
	b.name = granted.Device
	if index%2 == 0 { // the seed's devices know their number only
		b.name = granted.Number
	}
	b.key, err = mqtt.LoadKey(e.Key)
	return err
}

// ask asks until the answer is one that stays: a *enroll.Refused is then one that an
// operator has to change. A board that has its key asks nobody.
func ask(ctx context.Context, e *enroll.Enroller) (*enroll.Identity, error) {
	granted, err := e.EnrollOnce(ctx)
	var no *enroll.Refused
	switch {
	case err == nil || ctx.Err() != nil:
		return granted, err
	case errors.As(err, &no) && (no.Status == http.StatusForbidden || no.Status == http.StatusConflict):
		return nil, no
	case errors.As(err, &no) && (no.Status == http.StatusBadRequest || no.Status == http.StatusUnauthorized || no.Status == http.StatusNotFound):
		return nil, errors.New(no.Error()) // the whole fleet's, and no refusal of this one
	}
	return e.Enroll(ctx)
}
