package console

import (
	"context"
	"time"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

// Fleet is what the gateways know together: one answer, whichever of them is asked.
type Fleet interface {
	// Tallies counts the devices of registries, by their names.
	Tallies(ctx context.Context, project, location string) (map[string]gateway.Tally, error)
	// Search returns a page of a registry's devices, and the token of the next.
	Search(ctx context.Context, key gateway.RegistryKey, q gateway.DeviceQuery, page gateway.Page) ([]gateway.DeviceLine, string, error)
	// Connections are the device's, newest first: the open one, and the latest that have
	// ended. One that ended with its gateway has the reason "gateway_lost".
	Connections(ctx context.Context, device uint64, most int) ([]gateway.Connection, error)
	// Pulses are of the gateways that are running.
	Pulses(ctx context.Context) ([]gateway.Pulse, error)
	// Secret is 32 bytes under a name, the same for all gateways of a store and for ever.
	Secret(ctx context.Context, name string) ([]byte, error)
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
	Reason, Device, MessageID string              // Device: sent it, or is claimed to have
	Registry                  gateway.RegistryKey // from which it came, as the message says; not of a replay
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

// Office is provisioning, as operators look after it.
type Office interface {
	office.Books
	// Askers counts a profile's claims by the bootstrap certificate that asked, one of
	// those named, or "" for all others; and by their states.
	Askers(ctx context.Context, profile string, named []string) ([]provision.Asker, error)
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
