package office_test

import (
	"testing"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

// What nobody is shown is not handed out, and a switch keeps it.
func TestAPlaceKeepsTheHooksSecret(t *testing.T) {
	b := newBed(t)
	books := b.store.Provisioning()
	if _, err := books.PutProfile(t.Context(), "test", &provision.Profile{
		ID: "batch7", Registry: gateway.RegistryKey{Project: "my-project", Location: "us-central1", Registry: "plant7"}, DeviceID: "d-{serial}",
		Bootstrap: []provision.Bootstrap{{Name: "b", SHA256: sum1}}, Webhook: &provision.Hook{URL: "https://hooks.example/x", Secret: "the secret of the hook"},
	}); err != nil {
		t.Fatal(err)
	}
	here := office.Place{Books: books, Location: location}
	if p, err := here.Profile(t.Context(), "batch7"); err != nil || p.Webhook.Secret != "" || p.Webhook.URL == "" {
		t.Errorf("%+v, %v", p.Webhook, err)
	}
	if p, err := here.Switch(t.Context(), "ada", "batch7", false); err != nil || !p.Disabled || p.Webhook.Secret != "" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := books.Profile(t.Context(), "batch7"); err != nil || !p.Disabled || p.Webhook.Secret != "the secret of the hook" {
		t.Errorf("%+v, %v", p, err)
	}
}
