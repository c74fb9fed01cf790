package gateway

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
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

// What may be wrong with a message; the device's fault, each time.
var (
	ErrNoTopic   = errors.New("no route takes the subfolder: give the registry a default topic")
	ErrTooLarge  = errors.New("larger than a payload may be")
	ErrSubFolder = errors.New("not a subfolder")
)

// ErrBusy is a Publisher's answer when as much waits already as it may hold.
var ErrBusy = errors.New("as many messages wait for Pub/Sub as may be held")

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
	Device     *Device   // names, keys and roles of it; no metadata, config, state or signs of life
	Registry   *Registry // as it was then, without authorities
	Protocol   Protocol
	Expires    time.Time // of the token; the session ends 10 min later
	Credential int       // index of the device's credential that verified it; -1: none did, the binding counts
	Via        *Device   // the gateway that speaks for it; nil: it speaks itself
}

// Verifier checks a token against a device's live keys; without keys it does the
// same work and refuses. Its error is a *Refusal.
type Verifier interface {
	Verify(token []byte, project string, keys []Credential, now time.Time) (expires time.Time, credential int, err error)
}

// Publisher publishes to Pub/Sub. done is called once, from any goroutine, when the
// service has confirmed the message or will not; errors in batches as they complete.
// Publish does not block: it refuses with ErrBusy, before it returns, when more
// waits than it may hold. It keeps neither slice.
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

	Limiter *Limiter    // nil: devices are not limited
	Signer  *Signer     // nil: messages carry no attestation
	Log     *zap.Logger // nil discards

	mu     sync.Mutex
	memory memory
	signs  map[uint64]Sign
}

// Run forgets what has changed in the store, and hands the signs of life to the
// mailbox, until ctx ends; those of the last moments too, if ctx ends after the
// sessions have.
func (b *Bridge) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.Bus.Watch(ctx, b.changed) })
	g.Go(func() error { b.bookSigns(ctx); return nil })
	if b.Signer != nil {
		g.Go(func() error { b.Signer.keys.Watch(ctx, b.log()); return nil })
	}
	return g.Wait()
}

func (b *Bridge) changed(c Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch c.Kind {
	case DeviceChanged, RegistryChanged, Resync:
		b.memory.forget(c)
	}
}

func (b *Bridge) log() *zap.Logger {
	if b.Log == nil {
		return zap.NewNop()
	}
	return b.Log
}
