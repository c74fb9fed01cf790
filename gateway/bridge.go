package gateway

import (
	"context"
	"net/netip"
	"time"
)

// Reason says why a device was refused or a session ended. The set is closed: it is
// a metric label.
type Reason string

// Refusal is an admission that was denied. To the device, all refusals with Fault
// false look alike.
type Refusal struct {
	Reason Reason
	Fault  bool // ours: the device may be who it says
}

func (r *Refusal) Error() string { return string(r.Reason) }

// Attempt is what a client shows.
type Attempt struct {
	Key      DeviceKey
	Token    []byte // a JWT, at most 4 KiB
	Remote   netip.Addr
	Protocol Protocol
}

// Protocol is how a device speaks.
type Protocol int

// The protocols.
const (
	MQTT Protocol = iota
	HTTP
)

// Admission is a device that has proved who it is.
type Admission struct {
	Device     *Device
	Registry   *Registry
	Expires    time.Time // of the token; the session ends 10 min later
	Credential int       // index of the device's credential that verified it; -1: none did, the binding counts
	Via        *Device   // the gateway that speaks for it; nil: it speaks itself
}

// Verifier checks a token against a device's live keys. Its error is a *Refusal.
type Verifier interface {
	Verify(token []byte, project string, keys []Credential, now time.Time) (expires time.Time, credential int, err error)
}

// Publisher publishes to Pub/Sub. done is called once, from any goroutine, when the
// service has confirmed the message or will not; errors in batches as they complete.
// Publish does not block: it refuses when more waits than it may hold.
type Publisher interface {
	Publish(topic string, attributes []Attribute, data []byte, done func(error))
}

// Attribute is one key and value of a message.
type Attribute struct{ Key, Value string }

// Bridge is what the protocols share: admission, and what an admitted device may do.
type Bridge struct {
	Directory Directory
	Mailbox   Mailbox
	Bus       Bus
	Verifier  Verifier
	Publisher Publisher
	Instance  string // this gateway's name on the bus
}

// Admit decides on an attempt. The error is a *Refusal.
func (b *Bridge) Admit(ctx context.Context, a Attempt) (*Admission, error) { panic("unwritten") }

// Attach decides whether the gateway may speak for a device of its registry; token
// is the device's own or nil. The error is a *Refusal.
func (b *Bridge) Attach(ctx context.Context, gateway *Admission, device string, token []byte) (*Admission, error) {
	panic("unwritten")
}

// Still decides whether an admission would be given again: not after the device was
// blocked, deleted, or lost the credential. The error is a *Refusal.
func (b *Bridge) Still(ctx context.Context, a *Admission) error { panic("unwritten") }

// Telemetry publishes an event of the device. It does not block; done is called once.
// ErrNoTopic when no route matches; *Refusal over a rate.
func (b *Bridge) Telemetry(a *Admission, subFolder string, data []byte, done func(error)) {
	panic("unwritten")
}

// SetState keeps, and publishes if the registry says so, what the device tells of itself.
func (b *Bridge) SetState(ctx context.Context, a *Admission, data []byte) error { panic("unwritten") }
