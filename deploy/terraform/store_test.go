package terraform_test

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// The authority's key is of the kind that the gateway signs with, and stays.
func TestTheAuthoritysKeyCanSign(t *testing.T) {
	m := load(t, ".")
	key := mustEvaluate(t, ".", forms["job"]).by(t, "google_kms_crypto_key", "name", "device-ca")
	if got := key.text("purpose") + " " + key.blocks["version_template"][0].text("algorithm"); got != "ASYMMETRIC_SIGN EC_SIGN_P256_SHA256" {
		t.Errorf("the key is for %s", got)
	}
	kept := false
	for _, b := range m.resources["google_kms_crypto_key.device_ca"].Body.Blocks {
		if a := b.Body.Attributes["prevent_destroy"]; b.Type == "lifecycle" && a != nil {
			v, diags := a.Expr.Value(nil)
			kept = !diags.HasErrors() && v.True()
		}
	}
	if !kept {
		t.Error("the key can be destroyed by a plan")
	}
}

// The registry is reached from the private network alone, encrypted, and can be brought
// back to any second.
func TestTheRegistryIsPrivateAndBackedUp(t *testing.T) {
	db := mustEvaluate(t, ".", forms["job"]).by(t, "google_sql_database_instance", "name", "iotbridge-registry")
	settings := db.blocks["settings"][0]
	ip, backup := settings.blocks["ip_configuration"][0], settings.blocks["backup_configuration"][0]
	for what, holds := range map[string]bool{
		"no public address":      ip.attributes["ipv4_enabled"].False(),
		"on the network":         ip.text("private_network") == "projects/project/global/networks/n",
		"encrypted":              ip.text("ssl_mode") == "ENCRYPTED_ONLY",
		"backups":                backup.attributes["enabled"].True(),
		"point in time":          backup.attributes["point_in_time_recovery_enabled"].True(),
		"deletion protection":    db.attributes["deletion_protection"].True() && settings.attributes["deletion_protection_enabled"].True(),
		"a second one in wait":   settings.text("availability_type") == "REGIONAL",
		"14 backups":             backup.blocks["backup_retention_settings"][0].attributes["retained_backups"].RawEquals(cty.NumberIntVal(14)),
		"7 days of transactions": backup.attributes["transaction_log_retention_days"].RawEquals(cty.NumberIntVal(7)),
	} {
		if !holds {
			t.Errorf("the registry's database lacks: %s", what)
		}
	}
}
