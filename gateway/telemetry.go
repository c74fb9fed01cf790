package gateway

import (
	"context"
	"errors"
	"time"

	"iotbridge/schema"
)

// The largest payloads, in bytes. https://cloud.google.com/iot/quotas
const (
	MaxTelemetry = 262_144
	MaxState     = 65_536
)

// Telemetry publishes an event of the device. It does not block; done is called once,
// perhaps before Telemetry returns. Its error is ErrTooLarge, ErrSubFolder,
// ErrNoTopic, a *Refusal over the rate, or the Publisher's. data is not kept.
func (b *Bridge) Telemetry(a *Admission, subFolder string, data []byte, done func(error)) {
	switch {
	case len(data) > MaxTelemetry:
		done(ErrTooLarge)
		return
	case subFolder != "" && !schema.ValidSubFolder(subFolder):
		done(ErrSubFolder)
		return
	case b.Limiter.Event(a.Device.Number, len(data)) > 0:
		done(refuse(OverRate))
		return
	}
	topic := b.registry(a).topic(subFolder)
	if topic == "" {
		b.Note(Sign{Device: a.Device.Number, Error: time.Now(), ErrorStatus: noTopic(subFolder)})
		done(ErrNoTopic)
		return
	}
	b.Note(heard(a, Sign{Event: time.Now()}))
	b.Publisher.Publish(topic, b.attributes(a, subFolder, data), data, done)
}

// Delay is how long the device must hold back before Telemetry takes so many bytes
// from it; 0 is not at all.
func (b *Bridge) Delay(a *Admission, bytes int) time.Duration {
	return b.Limiter.delay(a.Device.Number, bytes)
}

// SetState keeps, and publishes if the registry says so, what the device tells of
// itself. It answers when the state is kept: whether it is published too is not
// waited for. Its error is ErrTooLarge or a *Refusal.
func (b *Bridge) SetState(ctx context.Context, a *Admission, data []byte) error {
	switch {
	case len(data) > MaxState:
		return ErrTooLarge
	case b.Limiter.State(a.Device.Number) > 0:
		return refuse(OverRate)
	}
	now := time.Now()
	err := b.Mailbox.SetState(ctx, a.Device.Number, data, now)
	switch {
	case errors.Is(err, ErrNotFound):
		return refuse(UnknownDevice)
	case err != nil:
		return storeFault
	}
	if a.Via != nil {
		b.Note(heard(a, Sign{}))
	}
	if topic := b.registry(a).StateTopic; topic != "" {
		b.Publisher.Publish(topic, b.attributes(a, "", data), data, func(error) {})
	}
	return nil
}

// registry is the device's as it was last seen: routes change under a session.
func (b *Bridge) registry(a *Admission) *Registry {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.memory.latest(a.Registry)
}

// attributes are those that nobody but the gateway can set, in the order in which
// they are signed.
func (b *Bridge) attributes(a *Admission, subFolder string, data []byte) []Attribute {
	key := a.Device.Key
	attributes := append(make([]Attribute, 0, 8),
		Attribute{schema.AttrDeviceID, key.Device},
		Attribute{schema.AttrDeviceNumID, a.Device.Num()},
		Attribute{schema.AttrRegistryID, key.Registry},
		Attribute{schema.AttrRegistryLocation, key.Location},
		Attribute{schema.AttrProjectID, key.Project},
		Attribute{schema.AttrSubFolder, subFolder})
	if a.Via != nil {
		attributes = append(attributes, Attribute{schema.AttrGatewayID, a.Via.Key.Device})
	}
	if b.Signer != nil {
		attributes = append(attributes, Attribute{schema.AttrAttestation, b.Signer.sign(attributes, data)})
	}
	return attributes
}

func noTopic(subFolder string) *Status {
	const failedPrecondition = 9
	return &Status{failedPrecondition, "no Pub/Sub topic for telemetry in the subfolder \"" + subFolder + "\""}
}
