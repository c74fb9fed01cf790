package device

import (
	"bytes"
	"time"
)

// state is what the device says of itself, on the topic of this name.
type state struct {
	Config   stateConfig   `json:"config"`
	Commands stateCommands `json:"commands,omitzero"`
	Agent    stateAgent    `json:"agent"`
}

type stateConfig struct {
	Version int64        `json:"version"`
	Applied stateApplied `json:"applied"`
	Errors  []string     `json:"errors,omitempty"`  // why the newest is not in force
	Clamped []string     `json:"clamped,omitempty"` // what the machine's owner does not allow
	Ignored []string     `json:"ignored,omitempty"` // members that mean nothing here
}

type stateApplied struct {
	Interval string   `json:"interval"`
	Sensors  []string `json:"sensors,omitempty"`
	LogLevel string   `json:"log_level"`
}

type stateCommands struct {
	Last    string   `json:"last,omitempty"`
	Refused []string `json:"refused,omitempty"`
	TooMany uint64   `json:"too_many,omitempty"`
}

type stateAgent struct {
	Version      string            `json:"version"`
	Uptime       float64           `json:"uptime"` // seconds
	Sent         uint64            `json:"sent"`
	Spool        stateSpool        `json:"spool"`
	LastError    string            `json:"last_error,omitempty"`
	SensorError  string            `json:"sensor_error,omitempty"`
	SensorErrors map[string]uint64 `json:"sensor_errors,omitempty"`
	SpoolError   string            `json:"spool_error,omitempty"`
}

type stateSpool struct {
	Records int    `json:"records"`
	Bytes   int64  `json:"bytes"`
	Dropped uint64 `json:"dropped"`
}

// state returns a state that is to be published now, or else when to ask again; 0 is
// when due says so.
func (c *control) state(now time.Time) (body []byte, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.underWay || c.wanted == c.known {
		return nil, 0
	}
	if wait = statePause - now.Sub(c.last); wait > 0 && !c.last.IsZero() {
		return nil, wait
	}
	o, s := &c.outcome, c.board.read()
	st := state{
		Config: stateConfig{
			Version: o.version, Clamped: o.changed, Ignored: o.unknown,
			Applied: stateApplied{o.applied.interval.String(), o.applied.sensors, o.applied.level.String()},
		},
		Commands: stateCommands{o.command, o.refused, o.overflow},
		Agent: stateAgent{
			Version: c.version, Uptime: now.Sub(c.began).Truncate(time.Millisecond).Seconds(), Sent: s.Sent,
			Spool: stateSpool{s.Spool.Records, s.Spool.Bytes, s.Spool.Dropped}, LastError: s.LastError,
			SensorError: s.SensorError, SensorErrors: s.SensorErrors, SpoolError: s.SpoolError,
		},
	}
	if o.err != "" {
		st.Config.Errors = []string{o.err}
	}
	var text bytes.Buffer
	if err := encodeOnto(&text, &st); err != nil { // it holds nothing that JSON has not
		return nil, 0
	}
	c.underWay, c.sent, c.last = true, c.wanted, now
	return text.Bytes(), 0
}

func (c *control) stateConfirmed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay, c.known = false, c.sent
}

// sessionEnded has a state that was not confirmed made anew.
func (c *control) sessionEnded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay = false
}
