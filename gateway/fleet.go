package gateway

import "time"

// Tally is how many devices a registry has, and of which kinds.
type Tally struct{ Devices, Connected, Silent, Blocked, Erroring int }

// DeviceQuery selects and orders devices.
type DeviceQuery struct {
	Text string // in the name, whatever its case, or the number's beginning; "" is all
	Kind DeviceKind
	Sort DeviceSort
	Desc bool
}

// DeviceKind is which devices.
type DeviceKind string

// The kinds. A device is silent when nothing came from it for SilentAfter, and erroring
// when its last error is newer than its last event; a blocked one is neither.
const (
	AllDevices       DeviceKind = ""
	ConnectedDevices DeviceKind = "connected"
	SilentDevices    DeviceKind = "silent"
	BlockedDevices   DeviceKind = "blocked"
	ErroringDevices  DeviceKind = "erroring"
)

// SilentAfter is how long nothing comes from a device that is called silent.
const SilentAfter = time.Hour

// DeviceSort is what devices are ordered by.
type DeviceSort string

// The orders.
const (
	ByName      DeviceSort = ""
	ByNumber    DeviceSort = "number"
	ByLastEvent DeviceSort = "event"
	ByLastError DeviceSort = "error"
)

// DeviceLine is a device in a list.
type DeviceLine struct {
	Name                                string
	Number                              uint64
	Connected, Blocked, IsGateway       bool
	LastEvent, LastHeartbeat, LastError time.Time // zero: none
	Error                               string    // what the last one said
	Keys                                int
}

// Pulse is a gateway's counters since it began.
type Pulse struct {
	Instance    string
	Began, At   time.Time
	Connections int
	Events      uint64            // telemetry that Pub/Sub has confirmed
	Refused     map[string]uint64 // connections, by reason
	Holds       []string          // what /readyz says; none: it is ready
	Recent      []PulsePoint      // of the last 15 minutes, oldest first
}

// PulsePoint is a moment of a gateway's life.
type PulsePoint struct {
	At          time.Time
	Connections int
	Events      uint64 // since it began
}
