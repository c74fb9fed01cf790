package terraform_test

import (
	"maps"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// forms are ways in which the module is used: with what must be given alone, and with all
// that can be.
var forms = map[string]map[string]cty.Value{
	"least": least,
	"job":   form(map[string]string{"image": "worker:1", "attestation_secret": "keys"}),
	"pool":  form(map[string]string{"image": "worker:1", "mode": "pool", "attestation_secret": "keys"}),
}

func form(run map[string]string) map[string]cty.Value {
	object := map[string]cty.Value{}
	for k, v := range run {
		object[k] = cty.StringVal(v)
	}
	given := map[string]cty.Value{
		"labels":                    cty.MapVal(map[string]cty.Value{"team": cty.StringVal("iot")}),
		"message_storage_regions":   list("europe-west1"),
		"topic_retention":           cty.StringVal("86400s"),
		"partition_expiration_days": cty.MapVal(map[string]cty.Value{"quarantine": cty.NumberIntVal(400)}),
		"workload_identity":         cty.ObjectVal(map[string]cty.Value{"keda": cty.StringVal("keda/keda-operator")}),
		"image_readers":             list("serviceAccount:nodes@project.iam.gserviceaccount.com"),
		"analysts":                  list("group:analysts@example.com"),
		"operators":                 list("group:operators@example.com"),
		"provisioning_ca":           cty.True,
		"registry_store":            cty.ObjectVal(map[string]cty.Value{"network": cty.StringVal("projects/project/global/networks/n")}),
		"cloud_run":                 cty.ObjectVal(object),
		"notification_channels":     list("projects/project/notificationChannels/1"),
		"runbooks_url":              cty.StringVal("https://runbooks.example.com"),
	}
	maps.Copy(given, least)
	return given
}

func list(texts ...string) cty.Value {
	values := make([]cty.Value, len(texts))
	for i, t := range texts {
		values[i] = cty.StringVal(t)
	}
	return cty.ListVal(values)
}

func TestValidationsRefuse(t *testing.T) {
	run := func(mode string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"image": cty.StringVal("worker:1"), "mode": cty.StringVal(mode)})
	}
	days := func(table string, n int64) cty.Value {
		return cty.MapVal(map[string]cty.Value{table: cty.NumberIntVal(n)})
	}
	for _, c := range []struct {
		variable string
		value    cty.Value
		taken    bool
	}{
		{"project", cty.StringVal("my-project-1"), true},
		{"project", cty.StringVal("Project"), false},
		{"project", cty.StringVal("p"), false},
		{"topic_retention", cty.StringVal("600s"), true},
		{"topic_retention", cty.StringVal("7 days"), false},
		{"subscription_retention", cty.StringVal("600s"), true},
		{"subscription_retention", cty.StringVal("2678400s"), true},
		{"subscription_retention", cty.StringVal("599s"), false},
		{"subscription_retention", cty.StringVal("2678401s"), false},
		{"subscription_retention", cty.StringVal("a week"), false},
		{"dataset_id", cty.StringVal("iot_2"), true},
		{"dataset_id", cty.StringVal("iot-2"), false},
		{"partition_expiration_days", days("sensordata", 1), true},
		{"partition_expiration_days", days("sensordata", 0), false},
		{"partition_expiration_days", days("humidity", 7), false},
		{"cloud_run", run("pool"), true},
		{"cloud_run", run("service"), false},
	} {
		given := maps.Clone(least)
		given[c.variable] = c.value
		if _, err := load(t, ".").evaluate(given); (err == nil) != c.taken {
			t.Errorf("%s = %#v: %v", c.variable, c.value, err)
		}
	}
}
