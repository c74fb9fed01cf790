package terraform_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rights is all that anybody is given when the module makes all that it can: who, which
// role, on what. A line more or less is a decision; README.md tells it to people.
var rights = map[string][]string{
	"each form": {
		"gateway  roles/pubsub.publisher              topic temperature",
		"gateway  roles/pubsub.publisher              topic sensordata",
		"gateway  roles/pubsub.publisher              topic state",
		"gateway  roles/cloudkms.signer               key device-ca",
		"gateway  roles/cloudkms.publicKeyViewer      key device-ca",
		"worker   roles/pubsub.subscriber             subscription temperature-ingest",
		"worker   roles/pubsub.subscriber             subscription sensordata-ingest",
		"worker   roles/pubsub.publisher              topic quarantine-fallback",
		"worker   iotbridgeRowWriter                  table temperature",
		"worker   iotbridgeRowWriter                  table sensordata",
		"worker   iotbridgeRowWriter                  table quarantine",
		"worker   roles/secretmanager.secretAccessor  secret keys",
		"analysts  roles/bigquery.dataViewer          dataset telemetry",
		"analysts  roles/bigquery.jobUser             PROJECT",
		"operators roles/bigquery.dataEditor          dataset telemetry",
		"operators roles/bigquery.jobUser             PROJECT",
		"operators roles/pubsub.subscriber            subscription quarantine-fallback-hold",
		"keda     roles/monitoring.viewer             PROJECT",
		"nodes    roles/artifactregistry.reader       images iotbridge",
		"pool[iotbridge/iotbridge-gateway] roles/iam.workloadIdentityUser account gateway",
		"pool[iotbridge/iotbridge-ingest]  roles/iam.workloadIdentityUser account worker",
		"pool[keda/keda-operator]          roles/iam.workloadIdentityUser account keda",
	},
	"job": {
		"scheduler roles/run.invoker                  job ingest-temperature",
		"scheduler roles/run.invoker                  job ingest-sensordata",
	},
}

func TestEachRightIsOnTheList(t *testing.T) {
	spaces := regexp.MustCompile(` +`)
	for name, given := range forms {
		var want []string
		for _, line := range append(slices.Clone(rights["each form"]), rights[name]...) {
			if name != "least" || strings.HasPrefix(line, "gateway  roles/pubsub") || strings.HasPrefix(line, "worker") && !strings.Contains(line, "secret") {
				want = append(want, spaces.ReplaceAllString(line, " "))
			}
		}
		got, err := mustEvaluate(t, ".", given).rights()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: rights (-want +got):\n%s", name, diff)
		}
	}
}

// target is the attribute that names what a right is on, by the start of the type.
type target struct{ typ, attribute, word string }

var targets = []target{
	{"google_pubsub_topic_iam_", "topic", "topic"},
	{"google_pubsub_subscription_iam_", "subscription", "subscription"},
	{"google_bigquery_table_iam_", "table_id", "table"},
	{"google_bigquery_dataset_iam_", "dataset_id", "dataset"},
	{"google_kms_crypto_key_iam_", "crypto_key_id", "key"},
	{"google_secret_manager_secret_iam_", "secret_id", "secret"},
	{"google_artifact_registry_repository_iam_", "repository", "images"},
	{"google_service_account_iam_", "service_account_id", "account"},
	{"google_cloud_run_v2_job_iam_", "name", "job"},
	{"google_project_iam_member", "", "PROJECT"},
}

// rights are all that the plan gives, a line each; what could give one and is not
// understood is an error.
func (p *plan) rights() (lines []string, err error) {
	for _, i := range p.instances {
		if i.typ == "google_project_iam_custom_role" {
			continue
		}
		if !strings.Contains(i.typ, "_iam_") {
			if strings.Contains(i.typ, "access") || strings.HasSuffix(i.typ, "_key") && strings.Contains(i.typ, "account") || i.blocks["access"] != nil {
				err = fmt.Errorf("%s gives rights, or makes a key", i.address)
			}
			continue
		}
		at := slices.IndexFunc(targets, func(g target) bool { return strings.HasPrefix(i.typ, g.typ) })
		if at < 0 {
			return nil, fmt.Errorf("%s: a right of a kind that is not allowed here", i.address)
		}
		on := strings.TrimSpace(targets[at].word + " " + short(i.text(targets[at].attribute)))
		members := i.list("members")
		if i.text("member") != "" {
			members = append(members, i.text("member"))
		}
		for _, m := range members {
			role := i.text("role")
			if !strings.HasPrefix(role, "roles/") {
				role = role[strings.LastIndex(role, "/")+1:]
			}
			lines = append(lines, short(m)+" "+role+" "+on)
		}
	}
	return lines, err
}

// short is the part of a full name that says who or what.
func short(name string) string {
	if at := strings.Index(name, "["); at >= 0 {
		return "pool" + name[at:]
	}
	name = name[strings.LastIndexAny(name, "/:")+1:]
	name, _, _ = strings.Cut(name, "@")
	return strings.TrimPrefix(name, "iotbridge-")
}

// What the worker asks for in its error is what it is given.
func TestTheWorkersRoleIsWhatItAsksFor(t *testing.T) {
	role := mustEvaluate(t, ".", least).by(t, "google_project_iam_custom_role", "role_id", "iotbridgeRowWriter")
	if diff := cmp.Diff([]string{"bigquery.tables.get", "bigquery.tables.updateData"}, role.list("permissions")); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
	src, err := os.ReadFile("../../ingest/bigquery/verdict.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, permission := range role.list("permissions") {
		if !strings.Contains(string(src), permission) {
			t.Errorf("the worker does not ask for %s", permission)
		}
	}
}

func TestNobodyGetsAKey(t *testing.T) {
	for _, dir := range []string{".", "examples/complete"} {
		for name, b := range load(t, dir).resources {
			switch typ := b.Labels[0]; {
			case typ == "google_service_account_key", strings.HasSuffix(typ, "_iam_policy"), strings.HasPrefix(typ, "google_project_iam_") && typ != "google_project_iam_member" && typ != "google_project_iam_custom_role",
				strings.HasPrefix(typ, "google_folder_iam"), strings.HasPrefix(typ, "google_organization_iam"), dir != "." && strings.Contains(typ, "_iam_"):
				t.Errorf("%s: %s is not wanted here", dir, name)
			}
		}
	}
}
