package console

import (
	"context"
	"time"

	"iotbridge/gateway"
)

// Fleet is what the gateways know together: one answer, whichever of them is asked.
type Fleet interface {
	// Tally counts a registry's devices.
	Tally(ctx context.Context, key gateway.RegistryKey) (Tally, error)
	// Search returns a page of a registry's devices, and the token of the next.
	Search(ctx context.Context, key gateway.RegistryKey, q Query, page gateway.Page) ([]Line, string, error)
	// Session is how the device is connected now; nil: it is not.
	Session(ctx context.Context, device uint64) (*Session, error)
	// History is the device's latest sessions that have ended, newest first.
	History(ctx context.Context, device uint64, most int) ([]Ended, error)
	// Pulses are the counters of the gateways that are running.
	Pulses(ctx context.Context) ([]Pulse, error)
	// Secret is 32 bytes under a name, the same for all gateways of a store and for ever.
	Secret(ctx context.Context, name string) ([]byte, error)
}

// Tally is how many devices a registry has, and of which kinds.
type Tally struct{ Devices, Connected, Silent, Blocked, Erroring int }

// Query selects and orders devices.
type Query struct {
	Text string // in the name, or the number's beginning; "" is all
	Kind Kind
	Sort Sort
	Desc bool
}

// Kind is which devices.
type Kind string

// The kinds. A device is silent when nothing came from it for SilentAfter, and erroring
// when its last error is newer than its last event.
const (
	All       Kind = ""
	Connected Kind = "connected"
	Silent    Kind = "silent"
	Blocked   Kind = "blocked"
	Erroring  Kind = "erroring"
)

// SilentAfter is how long nothing comes from a device that is called silent.
const SilentAfter = time.Hour

// Sort is what devices are ordered by.
type Sort string

// The orders.
const (
	ByName      Sort = ""
	ByNumber    Sort = "number"
	ByLastEvent Sort = "event"
	ByLastError Sort = "error"
)

// Line is a device in a list.
type Line struct {
	Name                            string
	Number                          uint64
	Connected, Blocked, IsGateway   bool
	LastEvent, LastHeartbeat, Error time.Time // zero: none
	ErrorText                       string
	Keys                            int
}

// Session is an open connection of a device.
type Session struct {
	Instance string    // the gateway that has it
	Since    time.Time // zero: not known
	Address  string    // of the device, without its port; "": not known
}

// Ended is a session that has ended.
type Ended struct {
	Session
	At     time.Time
	Reason string // of the closed set of gateway_disconnects_total
}

// Pulse is a gateway's counters since it began.
type Pulse struct {
	Instance    string
	Began, At   time.Time
	Connections int
	Events      uint64            // telemetry that devices sent and Pub/Sub confirmed, over all protocols
	Refused     map[string]uint64 // connections, by reason
	Holds       []string          // what /readyz says; none: it is ready
	Recent      []Point           // of the last 15 minutes, oldest first
}

// Point is a moment of a gateway's life.
type Point struct {
	At          time.Time
	Connections int
	Events      uint64 // since it began
}

// Warehouse is what BigQuery knows. Its times are the readings' own unless they say
// otherwise.
type Warehouse interface {
	// Flow is what was stored and quarantined, minute by minute, oldest first.
	Flow(ctx context.Context, since time.Time) ([]Minute, error)
	// Readings are a device's, oldest first, at most so many of the latest.
	Readings(ctx context.Context, key gateway.DeviceKey, since time.Time, most int) ([]Reading, error)
	// Refusals are messages in quarantine, newest first, without attributes and data.
	Refusals(ctx context.Context, q RefusalQuery) ([]Refusal, error)
	// Refusal is all rows of one message, whole.
	Refusal(ctx context.Context, messageID string) ([]Refusal, error)
	// Replay judges refused messages again and stores those that are good today; it
	// returns how many came out how.
	Replay(ctx context.Context, actor string, q RefusalQuery) (map[string]int, error)
}

// Minute is what happened in one, by the time of storing.
type Minute struct {
	At          time.Time
	Stored      int
	AgeP50      time.Duration // from publish to durable
	AgeP99      time.Duration
	Quarantined map[string]int // by reason
}

// Reading is one point.
type Reading struct {
	At    time.Time
	Value float64
}

// RefusalQuery selects from the quarantine; empty fields select all.
type RefusalQuery struct {
	Reason, Device, MessageID string // Device: sent it, or is claimed to have
	Since, Before             time.Time
	Most                      int
}

// Refusal is one row of the quarantine.
type Refusal struct {
	MessageID, Reason, Detail string
	DeviceID, ClaimedID       string // trusted, and what the body says; "": none
	Subscription, Worker      string
	Published, Quarantined    time.Time
	Attempt                   int64
	Attributes                map[string]string
	Data                      []byte
}

// Mail is Pub/Sub, to look at.
type Mail interface {
	Subscriptions(ctx context.Context) ([]string, error)
	// View pulls what is there, and hands it back at once.
	View(ctx context.Context, subscription string, most int) ([]Message, error)
}

// Message is one as Pub/Sub delivers it.
type Message struct {
	ID         string
	Published  time.Time
	Attributes map[string]string
	Data       []byte
}
