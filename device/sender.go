package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// The states of the link, as Status names them.
const (
	linkWaiting    = "waiting-for-time"
	linkConnecting = "connecting"
	linkSending    = "sending"
	linkSettling   = "settling"
)

const (
	clockPoll      = 2 * time.Second
	connectTimeout = time.Minute
	settleTime     = 30 * time.Second // for what is under way when a token gets old
	houseTime      = time.Second      // at least so often the sender looks after its house
)

// sender connects, again and again, and publishes.
type sender struct {
	settings *Settings
	spool    Spool
	ring     *ring
	uplink   Uplink
	lane     *lane
	times    *timebase
	control  *control
	board    *board
	log      *zap.Logger
	ledger   *ledger
	gaps     gapDesk
	results  *results

	backoff  backoff
	pace     pace
	ticket   uint64
	out      map[uint64]*flight // under way in this session
	busy     map[key]bool       // the readings among them
	cursor   [2]uint64          // the backlog's next, of the spool and of the ring
	readable time.Time          // when the spool is asked for records again
	foreign  bool               // it was said that there are records of another version
	outage   string             // the kind of outage that was told of
}

// flight is one message under way.
type flight struct {
	kind flightKind
	key  key
	gap  Gap
	live bool
	at   time.Time
}

type flightKind int

const (
	aReading flightKind = iota
	aGap
	aState
)

func newSender(a *Agent, r *ring, l *lane, t *timebase, c *control, log *zap.Logger) *sender {
	return &sender{
		settings: &a.Settings, spool: a.Spool, ring: r, uplink: a.Uplink, lane: l, times: t, control: c,
		board: &a.board, log: log, ledger: newLedger(a.Spool, r, &a.board, log), gaps: newGapDesk(a.Spool, r, log),
		results: newResults(), pace: newPace(a.Settings.BacklogRate),
		out: map[uint64]*flight{}, busy: map[key]bool{},
	}
}

// run ends when ctx has and what was under way is settled, or given up.
func (s *sender) run(ctx context.Context) {
	for ctx.Err() == nil && s.awaitTime(ctx) {
		s.link(linkConnecting)
		session, err := s.connect(ctx)
		if ctx.Err() != nil && session == nil {
			return
		}
		if err == nil {
			err = s.hold(ctx, session)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.failed(err)
			s.wait(ctx, s.backoff.pause(err))
		}
	}
}

// awaitTime waits until the clock can be trusted: a token tells the time.
func (s *sender) awaitTime(ctx context.Context) bool {
	for said := false; !s.times.plausible(); said = true {
		if !said {
			s.link(linkWaiting)
			s.log.Warn("the clock cannot be trusted yet: readings are taken, nothing is sent")
		}
		s.wait(ctx, clockPoll)
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

func (s *sender) connect(ctx context.Context) (Session, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return s.uplink.Connect(ctx, s.control)
}

// hold works one session to its end. nil means that the next may begin at once.
func (s *sender) hold(ctx context.Context, session Session) error {
	began, sent := time.Now(), s.ledger.confirmed
	s.link(linkSending)
	if s.outage != "" {
		s.outage = ""
		s.log.Info("connected again")
	}
	err := s.serve(ctx, session)
	session.Close()
	if late := s.collect(); err == nil {
		err = late
	}
	s.conclude()
	good := time.Since(began) >= longSession || s.ledger.confirmed > sent
	if good {
		s.backoff.good()
	}
	if err == nil && !good {
		return errors.New("the session was to be renewed before it was of use: is the token's lifetime too short?")
	}
	return err
}

// conclude takes back what is still under way. What was live goes first again.
func (s *sender) conclude() {
	var live []key
	for _, ticket := range s.tickets() {
		if f := s.out[ticket]; f.live {
			live = append(live, f.key)
		}
	}
	s.lane.again(live)
	s.control.sessionEnded()
	s.gaps.sessionEnded()
	clear(s.out)
	clear(s.busy)
	s.cursor = [2]uint64{}
}

// serve publishes until the session has ended or shall end. After ctx, or once the
// token is old, it only waits for what is under way.
func (s *sender) serve(ctx context.Context, session Session) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop, renew := ctx.Done(), session.Renew()
	var settled <-chan time.Time // when waiting for the rest is given up
	for {
		if err := s.collect(); err != nil {
			return err
		}
		next := houseTime
		switch {
		case settled == nil && ctx.Err() == nil:
			next = min(next, s.fill(session))
		case settled != nil && len(s.out) == 0:
			return nil
		}
		if err := s.overdue(); err != nil {
			return err
		}
		timer.Reset(next)
		select {
		case <-session.Ended():
			return lost(session.Err())
		case <-stop:
			stop, renew = nil, nil
			s.link(linkSettling)
			settled = time.After(s.settings.GracePeriod * 4 / 5)
		case <-renew:
			renew = nil
			s.link(linkSettling)
			settled = time.After(settleTime)
		case <-settled:
			return nil
		case <-s.results.wake:
		case <-s.lane.wake:
		case <-s.control.due:
		case <-timer.C:
		}
	}
}

func lost(err error) error {
	if err == nil {
		return errors.New("the connection was closed")
	}
	return fmt.Errorf("the connection was lost: %w", err)
}

// overdue says that the session is dead although nothing has noticed.
func (s *sender) overdue() error {
	for _, f := range s.out {
		if time.Since(f.at) > s.settings.AckTimeout {
			return fmt.Errorf("a message was not confirmed within %s", s.settings.AckTimeout)
		}
	}
	return nil
}

// failed tells of an outage once, not of each attempt in it.
func (s *sender) failed(err error) {
	s.board.update(func(st *Status) { st.LastError, st.LastErrorAt = brief(err), s.times.clock.Now() })
	kind := "network"
	if refused := (*Refused)(nil); errors.As(err, &refused) {
		kind = refused.Error()
	}
	if s.outage == kind {
		s.log.Debug("still no connection", zap.String("error", brief(err)))
		return
	}
	s.outage = kind
	s.log.Warn("no connection: readings are kept, and sent later", zap.String("error", brief(err)))
}

func (s *sender) link(state string) {
	now := s.times.clock.Now()
	s.board.update(func(st *Status) {
		if st.Link != state {
			st.Link, st.Since = state, now
		}
	})
}

// wait is interrupted by ctx. Meanwhile the status stays true.
func (s *sender) wait(ctx context.Context, d time.Duration) {
	for end := time.Now().Add(d); ; {
		s.depth()
		left := time.Until(end)
		if left <= 0 {
			return
		}
		timer := time.NewTimer(min(left, 5*houseTime))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (s *sender) depth() {
	d, m := s.spool.Depth(), s.ring.Depth()
	s.board.update(func(st *Status) {
		st.Spool = Depth{d.Records + m.Records, d.Bytes + m.Bytes, d.Dropped + m.Dropped}
	})
}
