package gateway

import (
	"context"
	"errors"
	"time"
)

// What a store answers. Any other error is our fault and may pass.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("already exists")
	ErrConflict     = errors.New("changed meanwhile") // a version was expected and another is there
	ErrInUse        = errors.New("still has devices") // a registry, or a gateway, that cannot be deleted yet
	ErrNotConnected = errors.New("not connected, or not subscribed")
	ErrInvalid      = errors.New("invalid argument") // always an *InvalidError
	ErrFull         = errors.New("no room for more") // of a gateway's devices, or a device's gateways
)

// InvalidError is an argument that would never be taken: which, by Device Manager's
// name for it, and why. It is an ErrInvalid.
type InvalidError struct{ Field, Reason string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// Directory answers for admission.
type Directory interface {
	// Lookup finds a device, by name or by number, and its registry, as an Admission
	// has them. With ErrNotFound it returns the registry, unless that is not there
	// either.
	Lookup(ctx context.Context, key DeviceKey) (*Registry, *Device, error)
	// Bound says whether a device may be attached to a gateway; both by number.
	Bound(ctx context.Context, gateway, device uint64) (bool, error)
}

// Mailbox keeps what devices and cloud tell each other. Devices go by number.
type Mailbox interface {
	SetState(ctx context.Context, device uint64, data []byte, at time.Time) error
	Config(ctx context.Context, device uint64) (Config, error)
	ConfigAcked(ctx context.Context, device uint64, version int64, at time.Time) error
	// Note books signs of life; it may be late and, at a crash, be lost.
	Note(ctx context.Context, signs []Sign) error
}

// Sign is a sign of life; zero times are none.
type Sign struct {
	Device                                   uint64
	Heartbeat, Event, ConfigSend, Error, Via time.Time
	ErrorStatus                              *Status
	Gateway                                  string // with Via: who spoke for it
}

// Bus connects gateways. With the embedded store it connects one with itself.
type Bus interface {
	// Watch calls changed for every change until ctx ends, at the latest 5 s after
	// it. A Change may come twice. Resync says that some may have been missed: look
	// at every session again.
	Watch(ctx context.Context, changed func(Change)) error
	// Claim makes instance the holder of the device's one session, and tells the
	// one before. Epochs of a device grow. Whether a device is still there that was
	// found just now, the caller learns from its Changes.
	Claim(ctx context.Context, device uint64, instance string) (epoch int64, err error)
	// Release ends a claim, unless a later one has taken its place.
	Release(ctx context.Context, device uint64, epoch int64) error
	// Holder returns the live claim; ErrNotConnected when there is none.
	Holder(ctx context.Context, device uint64) (instance string, epoch int64, err error)
	// Send hands a command to the gateway that holds the device and waits for its
	// Answer; ErrNotConnected when nobody holds it.
	Send(ctx context.Context, c Command) error
	// Answer ends the Send of the command with that id.
	Answer(ctx context.Context, command string, err error) error
}

// Command is one message to a device that is connected now.
type Command struct {
	ID        string // the bus gives it
	Device    uint64
	SubFolder string
	Data      []byte
}

// Change tells gateways what they may have to act on.
type Change struct {
	Kind     ChangeKind
	Device   uint64      // not of RegistryChanged and Resync
	Registry RegistryKey // of RegistryChanged
	Instance string      // of Claimed and CommandSent: who holds the device
	Epoch    int64       // of them
	Command  *Command    // of CommandSent
}

// ChangeKind says what changed.
type ChangeKind int

// The kinds.
const (
	Resync          ChangeKind = iota
	DeviceChanged              // keys, blocking, deletion, binding: admit it again
	RegistryChanged            // protocols, routes, deletion
	ConfigChanged              // a new config version
	Claimed                    // a session began elsewhere, or here
	CommandSent
)

// Admin is what operators do. Everything is durable, and in the audit log, before it
// is answered. Pages go by opaque tokens, "" first and last.
type Admin interface {
	Directory
	Registry(ctx context.Context, key RegistryKey) (*Registry, error)
	Device(ctx context.Context, key DeviceKey) (*Device, error) // by name or by number

	CreateRegistry(ctx context.Context, actor string, r *Registry) (*Registry, error)
	// UpdateRegistry and UpdateDevice read, let change decide, and write, in one
	// transaction; change's error ends it and is returned.
	UpdateRegistry(ctx context.Context, actor string, key RegistryKey, change func(*Registry) error) (*Registry, error)
	DeleteRegistry(ctx context.Context, actor string, key RegistryKey) error // ErrInUse
	Registries(ctx context.Context, project, location string, page Page) ([]*Registry, string, error)

	CreateDevice(ctx context.Context, actor string, d *Device) (*Device, error) // with d.Number, or 0 for a new one
	UpdateDevice(ctx context.Context, actor string, key DeviceKey, change func(*Device) error) (*Device, error)
	DeleteDevice(ctx context.Context, actor string, key DeviceKey) error // ErrInUse: a gateway with bound devices
	Devices(ctx context.Context, key RegistryKey, filter DeviceFilter, page Page) ([]*Device, string, error)

	// SetConfig makes the next version; ErrConflict unless version is the latest or 0.
	SetConfig(ctx context.Context, actor string, key DeviceKey, version int64, data []byte) (Config, error)
	Configs(ctx context.Context, key DeviceKey, most int) ([]Config, error) // newest first, at most 10
	States(ctx context.Context, key DeviceKey, most int) ([]State, error)   // newest first, at most 10

	Bind(ctx context.Context, actor string, r RegistryKey, gateway, device string) error
	Unbind(ctx context.Context, actor string, r RegistryKey, gateway, device string) error

	// Record writes into the audit log what changes nothing else; its time is now.
	Record(ctx context.Context, e AuditEntry) error
	Audit(ctx context.Context, page Page) ([]AuditEntry, string, error) // newest first
}

// Page asks for at most Size things after Token.
type Page struct {
	Size  int
	Token string
}

// DeviceFilter selects devices; empty fields select all.
type DeviceFilter struct {
	Numbers    []uint64
	Names      []string
	Gateways   *bool  // only gateways, or only others
	BoundTo    string // devices bound to that gateway
	GatewaysOf string // gateways that the device is bound to
}

// AuditEntry is one thing that an operator did, or was denied.
type AuditEntry struct {
	At            time.Time
	Actor, Action string // a credential's name, "-" nobody's; create_device, block_device, …
	Object        string // a resource name
	Detail        string // never a key or a payload
}
