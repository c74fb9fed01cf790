package mqtt

import (
	"time"

	"iotbridge/gateway"
)

// What IoT Core fixed. https://cloud.google.com/iot/quotas
const (
	maxPublish  = 2 + len("/devices//commands/") + 255 + 256 + 2 + gateway.MaxTelemetry // of any packet
	maxAttached = 1000
	maxIdle     = 20 * time.Minute
	skew        = 10 * time.Minute // of a token
	redeliver   = 20 * time.Second // of a config that was not acknowledged
)

// What we chose.
const (
	maxConnect    = 8 << 10          // of any packet before the device is known
	connectTime   = 10 * time.Second // for TLS and CONNECT together
	writeTime     = 20 * time.Second // for what was queued to be taken by the device
	lastWords     = time.Second      // the same when the session ends
	maxQueue      = 1 << 20          // bytes that wait to be written to a device
	maxDeliveries = 1100             // to a session, not yet acknowledged: a config each of its devices, and commands
	commandTime   = time.Minute      // for the acknowledgement of a command
	storeTime     = 5 * time.Second  // for an answer of the store
	configPause   = 5 * time.Second  // before the store is asked again for a config
	revokedTime   = 2 * time.Second  // for the store to say whether a changed device is still admitted
	resyncedTime  = time.Minute      // the same when nothing says that it was this device that changed
)

// Limits bounds what devices may take. Zero values are the defaults.
type Limits struct {
	Connections   int // in all, 20,000
	PerAddress    int // of one IPv4 address or IPv6 /64, 10,000
	Inflight      int // messages of a session that Pub/Sub has not confirmed, 100
	InflightBytes int // their payloads, 1 MiB
	TotalInflight int // of all sessions, 50,000
	TotalBytes    int // 256 MiB
	Rate          int // packets of a session in a second that are not telemetry, 100
	LargeBytes    int // of packets over 1 KiB that are still on their way, 64 MiB

	Grace time.Duration // for what is in flight at the end, 10 s
}

func (l *Limits) defaults() {
	for _, d := range []struct {
		v *int
		d int
	}{
		{&l.Connections, 20_000},
		{&l.PerAddress, 10_000},
		{&l.Inflight, 100},
		{&l.InflightBytes, 1 << 20},
		{&l.TotalInflight, 50_000},
		{&l.TotalBytes, 256 << 20},
		{&l.Rate, 100},
		{&l.LargeBytes, 64 << 20},
	} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	// The largest packet must have room.
	l.TotalBytes = max(l.TotalBytes, gateway.MaxTelemetry)
	l.LargeBytes = max(l.LargeBytes, maxPublish)
	if l.Grace <= 0 {
		l.Grace = 10 * time.Second
	}
}
