package device

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sensor measures. One goroutine calls Sample.
type Sensor interface {
	// Sample measures once and returns before ctx's deadline, even if the hardware
	// hangs. Samples that were had are returned beside the error that says what was
	// wrong with the others.
	Sample(ctx context.Context) ([]Sample, error)
}

// ProbeError is an error that says which probe it is about. Such errors are counted
// probe by probe, others under "".
type ProbeError interface {
	error
	FaultyProbe() string
}

// ClassedError is an error that says of which kind it is, out of a closed set.
type ClassedError interface {
	error
	FaultClass() string
}

// Sample is what one probe measured.
type Sample struct {
	Probe       string  // which one, as in 28-0316a2795b12; "" when there is only one
	Temperature float64 // °C
	Suspect     bool    // a value that a fault gives too, and that could not be ruled out
	Extra       []byte  // further members of the body, `"humidity":40,"ok":true`; nil when there are none
}

// Spool keeps records until they are confirmed. Append is called by one goroutine,
// the other methods by another.
type Spool interface {
	// Stream names the spool: 32 hexadecimal digits, never those of another.
	Stream() string
	// Append returns once the record is durable. Its number is larger than each one
	// before, also after a restart.
	Append(record []byte) (seq uint64, err error)
	// Next returns the first record at or after from that is neither confirmed nor
	// dropped, or ErrEmpty. The record is valid until the next call.
	Next(from uint64) (seq uint64, record []byte, err error)
	// Ack forgets a record. What was forgotten may come again after a crash.
	Ack(seq uint64) error
	// Gaps returns what was lost without having been confirmed, and not yet reported.
	Gaps() []Gap
	// Reported forgets a gap.
	Reported(Gap) error
	Depth() Depth
}

// ErrEmpty says that there is no such record.
var ErrEmpty = errors.New("no record")

// Gap is a range of records that nobody will ever see.
type Gap struct {
	Stream      string
	First, Last uint64
	Why         string // full, age or damaged
}

// Depth is how much a spool holds.
type Depth struct {
	Records int    `json:"records"`
	Bytes   int64  `json:"bytes"`
	Dropped uint64 `json:"dropped"` // records lost since the spool was made
}

// Uplink connects to the gateway.
type Uplink interface {
	// Connect makes a token, opens a session and subscribes; what comes goes to in,
	// whose methods return at once. Errors: *Refused, or anything else for a network
	// that is not there.
	Connect(ctx context.Context, in Inbox) (Session, error)
}

// Inbox takes what the gateway sends.
type Inbox interface {
	Config(data []byte)
	Command(subfolder string, data []byte)
}

// Session is one connection.
type Session interface {
	// Publish sends at QoS 1 below /devices/ID/ and returns at once. done is called
	// once, from any goroutine: with nil when the gateway has confirmed.
	Publish(topic string, data []byte, done func(error))
	// Renew is closed when the token is soon too old: connect anew.
	Renew() <-chan struct{}
	// Ended is closed when the connection is gone; Err then says why.
	Ended() <-chan struct{}
	Err() error
	// Close ends it and returns when all that it started has ended.
	Close()
}

// Refused is a CONNACK other than 0.
type Refused struct{ Code byte }

func (r *Refused) Error() string {
	switch r.Code {
	case 2:
		return "the gateway refuses the client id (CONNACK 2): check project, region, registry and device id"
	case 3:
		return "the gateway is not ready (CONNACK 3)"
	case 4, 5:
		return fmt.Sprintf("the gateway does not know this device, has blocked it, or does not take its key (CONNACK %d)", r.Code)
	}
	return fmt.Sprintf("the gateway refuses the connection (CONNACK %d)", r.Code)
}

// Slow says whether an operator must act before another attempt can succeed.
func (r *Refused) Slow() bool { return r.Code != 3 }

// Clock tells the time, and how far it can be trusted.
type Clock interface {
	Now() time.Time
	// SinceBoot never steps, and counts what the machine slept.
	SinceBoot() time.Duration
	// Boot names this boot of the machine; "" when that is not known.
	Boot() string
	// Plausible says whether Now may be shown to others: synchronised, or not before
	// the program was built.
	Plausible() bool
}

// Status is what the agent tells those who ask on the machine itself. It holds no
// reading and no secret.
type Status struct {
	Time        time.Time `json:"time"`
	Link        string    `json:"link"` // waiting-for-time, connecting, sending or settling; enrolling, before there is an agent
	Since       time.Time `json:"since"`
	LastPuback  time.Time `json:"lastPuback,omitzero"`
	LastError   string    `json:"lastError,omitempty"`
	LastErrorAt time.Time `json:"lastErrorAt,omitzero"`
	LastSample  time.Time `json:"lastSample,omitzero"`
	SensorError string    `json:"sensorError,omitempty"`
	// SensorErrors counts failed measurements since the start, by probe; at most 64.
	SensorErrors map[string]uint64 `json:"sensorErrors,omitempty"`
	// SensorFaults counts them by kind, as timeout; "other" says nothing of itself.
	SensorFaults map[string]uint64 `json:"sensorFaults,omitempty"`
	SpoolError   string            `json:"spoolError,omitempty"`
	Spool        Depth             `json:"spool"`
	Config       int64             `json:"configVersion,omitempty"`
	Interval     string            `json:"interval"`
	Sent         uint64            `json:"sent"` // confirmed since the start
	ClockSynced  bool              `json:"clockPlausible"`
}
