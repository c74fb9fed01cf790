package gateway_test

import (
	"os"
	"path/filepath"
	"testing"

	"iotbridge/gateway"
)

// nowhere confirms what it is given.
type nowhere struct{}

func (nowhere) Publish(_ string, _ []gateway.Attribute, _ []byte, done func(error)) { done(nil) }

// BenchmarkTelemetry is a message's way through the bridge, without and with attestation.
func BenchmarkTelemetry(b *testing.B) {
	path := filepath.Join(b.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(keyA), 0o600); err != nil {
		b.Fatal(err)
	}
	signer, err := gateway.OpenSigner(path)
	if err != nil {
		b.Fatal(err)
	}
	for name, signer := range map[string]*gateway.Signer{"plain": nil, "attested": signer} {
		b.Run(name, func(b *testing.B) {
			bed, key := newBed(), newKey()
			bed.Publisher, bed.Limiter, bed.Signer = nowhere{}, gateway.NewLimiter(), signer
			bed.store.add(seed, "device1", key.Credential)
			a, err := bed.admit(seed, "device1", key.token(seed.Project))
			if err != nil {
				b.Fatal(err)
			}
			data, done := []byte(`{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`), func(error) {}
			devices := make([]*gateway.Admission, 100_000) // so many that none is over its rate
			for i := range devices {
				one, device := *a, *a.Device
				device.Number += uint64(i)
				one.Device = &device
				devices[i] = &one
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				bed.Telemetry(devices[i%len(devices)], "temperature", data, done)
			}
		})
	}
}
