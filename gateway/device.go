package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// RegistryKey names a registry.
type RegistryKey struct{ Project, Location, Registry string }

func (k RegistryKey) String() string {
	return fmt.Sprintf("projects/%s/locations/%s/registries/%s", k.Project, k.Location, k.Registry)
}

// DeviceKey names a device as a client or operator does: Device is its name, or its
// number in decimal.
type DeviceKey struct {
	RegistryKey
	Device string
}

func (k DeviceKey) String() string { return k.RegistryKey.String() + "/devices/" + k.Device }

// Registry is a set of devices and where their messages go.
type Registry struct {
	Key         RegistryKey
	Routes      []Route  // of telemetry; the first that matches
	StateTopic  string   // projects/P/topics/T; "": state is only kept
	MQTT, HTTP  bool     // protocols that devices may use
	LogLevel    LogLevel // of devices that have none
	Authorities []string // PEM certificates; if any, a device's X.509 key must be issued by one
	Updated     time.Time
}

// equal compares what sessions use of it.
func (r *Registry) equal(o *Registry) bool {
	return r.Key == o.Key && slices.Equal(r.Routes, o.Routes) && r.StateTopic == o.StateTopic &&
		r.MQTT == o.MQTT && r.HTTP == o.HTTP && r.LogLevel == o.LogLevel && r.Updated.Equal(o.Updated)
}

// serves says whether devices may use the protocol.
func (r *Registry) serves(p Protocol) bool {
	switch p {
	case MQTT:
		return r.MQTT
	case HTTP:
		return r.HTTP
	}
	return false
}

// topic returns where a subfolder's telemetry goes; "" when no route takes it.
func (r *Registry) topic(subFolder string) string {
	for _, route := range r.Routes {
		if route.SubFolder == "" || route.SubFolder == subFolder {
			return route.Topic
		}
	}
	return ""
}

// Route sends a subfolder's telemetry to a topic.
type Route struct {
	SubFolder string // exact; "" matches all
	Topic     string // projects/P/topics/T
}

// Device is one device with what the fleet knows of it. Key.Device is its name.
type Device struct {
	Key         DeviceKey
	Number      uint64 // 16 digits, below 2^53; unique over all registries
	Credentials []Credential
	Blocked     bool
	Metadata    map[string]string
	LogLevel    LogLevel // 0: the registry's

	IsGateway  bool
	AuthMethod AuthMethod // how devices are attached to a gateway

	LastHeartbeat, LastEvent, LastState time.Time
	LastConfigSend, LastConfigAck       time.Time
	LastError                           time.Time
	LastErrorStatus                     *Status
	LastGateway                         string // name of the gateway that last spoke for it
	LastGatewayTime                     time.Time
	Config                              Config // the latest
	State                               *State // the latest; nil: none
	Created, Updated                    time.Time
}

// Num is the number as attributes and paths carry it.
func (d *Device) Num() string { return strconv.FormatUint(d.Number, 10) }

// Credential is one of a device's up to three public keys.
type Credential struct {
	Format  KeyFormat
	PEM     string
	Expires time.Time // zero: never
}

// KeyFormat says what a credential's PEM holds, by IoT Core's numbers.
type KeyFormat int

// The formats.
const (
	RSAPEM    KeyFormat = 3
	RSAX509   KeyFormat = 1
	ES256PEM  KeyFormat = 2
	ES256X509 KeyFormat = 4
)

// AuthMethod says whose credentials count when a gateway attaches a device, by IoT
// Core's numbers.
type AuthMethod int

// The methods.
const (
	AssociationOnly           AuthMethod = 1
	DeviceToken               AuthMethod = 2
	AssociationAndDeviceToken AuthMethod = 3
)

// LogLevel is how much of a device's life is logged, by IoT Core's numbers.
type LogLevel int

// The levels.
const (
	LogUnset LogLevel = 0
	LogNone  LogLevel = 10
	LogError LogLevel = 20
	LogInfo  LogLevel = 30
	LogDebug LogLevel = 40
)

// Config is a version of what the cloud tells a device. Version 1 is empty.
type Config struct {
	Version        int64
	Data           []byte
	Updated, Acked time.Time // Acked is zero until the device has confirmed it
}

// State is what a device told of itself.
type State struct {
	Data    []byte
	Updated time.Time
}

// Status is a google.rpc.Status.
type Status struct {
	Code    int32
	Message string
}

// admitted is what a session keeps of a device.
func (d *Device) admitted() *Device {
	return &Device{
		Key: d.Key, Number: d.Number, Credentials: d.Credentials, Blocked: d.Blocked,
		LogLevel: d.LogLevel, IsGateway: d.IsGateway, AuthMethod: d.AuthMethod,
	}
}

// admitted is what sessions keep of a registry.
func (r *Registry) admitted() *Registry {
	kept := *r
	kept.Authorities = nil
	return &kept
}

// has says that the key is still the device's. Its expiry counts at admission only.
func (d *Device) has(c Credential) bool {
	return slices.ContainsFunc(d.Credentials, func(own Credential) bool { return own.Format == c.Format && own.PEM == c.PEM })
}
