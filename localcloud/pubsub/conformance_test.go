package pubsub_test

import (
	"testing"

	"google.golang.org/api/option"

	"iotbridge/localcloud/pubsub"
	"iotbridge/localcloud/pubsub/conformance"
)

func TestConformance(t *testing.T) {
	t.Run("Local", func(t *testing.T) {
		file := newFile(t)
		c := start(t, file, pubsub.Options{})
		conformance.Run(t, conformance.Harness{
			Oracle: conformance.Local, Project: "p", Options: conformance.Plaintext(c.addr),
			Reopen: func(t testing.TB) []option.ClientOption {
				c.stop()
				c = start(t, file, pubsub.Options{})
				return conformance.Plaintext(c.addr)
			},
		})
	})
	t.Run("Emulator", func(t *testing.T) { conformance.Run(t, conformance.FindEmulator(t)) })
	t.Run("Google", func(t *testing.T) { conformance.Run(t, conformance.FindGoogle(t)) })
}
