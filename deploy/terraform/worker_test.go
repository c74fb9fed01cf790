package terraform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"iotbridge/internal/deploycheck"
)

// commands are the workers on Cloud Run, by the address of their resource.
func (p *plan) commands() map[string][]string {
	all := map[string][]string{}
	for _, i := range p.instances {
		template := i.blocks["template"]
		if i.typ == "google_cloud_run_v2_job" {
			template = template[0].blocks["template"]
		}
		if strings.HasPrefix(i.typ, "google_cloud_run_v2_") && len(template) > 0 {
			all[i.address] = template[0].blocks["containers"][0].list("args")
		}
	}
	return all
}

func TestTheWorkerKnowsItsFlags(t *testing.T) {
	for name, given := range forms {
		commands := mustEvaluate(t, ".", given).commands()
		if (len(commands) == 0) != (name == "least") {
			t.Errorf("%s: %d workers on Cloud Run", name, len(commands))
		}
		for address, args := range commands {
			t.Run(address, func(t *testing.T) {
				deploycheck.CommandLine(t, "iotbridge-ingest", args, nil)
				if drains := slices.Contains(args, "--drain"); drains != (name == "job") {
					t.Errorf("--drain is there: %t", drains)
				}
			})
		}
	}
}

// Signatures are asked for where there are keys, and the keys are where they are looked for.
func TestKeysAreMountedWhereTheWorkerReadsThem(t *testing.T) {
	p := mustEvaluate(t, ".", forms["job"])
	for _, i := range p.instances {
		if i.typ != "google_cloud_run_v2_job" {
			continue
		}
		template := i.blocks["template"][0].blocks["template"][0]
		container, volume := template.blocks["containers"][0], template.blocks["volumes"][0]
		file := container.blocks["volume_mounts"][0].text("mount_path") + "/" + volume.blocks["secret"][0].blocks["items"][0].text("path")
		if args := container.list("args"); !slices.Contains(args, "--attestation-keys="+file) || !slices.Contains(args, "--attestation=require") {
			t.Errorf("%s is told %q, and its keys are in %s", i.address, args, file)
		}
		if container.blocks["volume_mounts"][0].text("name") != volume.text("name") || volume.blocks["secret"][0].text("secret") != "keys" {
			t.Errorf("%s mounts another volume", i.address)
		}
	}
	given := form(map[string]string{"image": "worker:1"})
	for address, args := range mustEvaluate(t, ".", given).commands() {
		if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--attestation") }) {
			t.Errorf("%s asks for signatures without keys: %q", address, args)
		}
	}
}

// What subscriptions must be for nothing to be lost.
func TestSubscriptionsKeepWhatTheyHold(t *testing.T) {
	p := mustEvaluate(t, ".", least)
	for _, name := range []string{"temperature-ingest", "sensordata-ingest", "quarantine-fallback-hold"} {
		s := p.by(t, "google_pubsub_subscription", "name", name)
		if policy := s.blocks["expiration_policy"]; len(policy) != 1 || policy[0].attributes["ttl"] != cty.StringVal("") {
			t.Errorf("%s expires: %v", name, policy)
		}
		if s.blocks["dead_letter_policy"] != nil {
			t.Errorf("%s moves good messages away in an outage", name)
		}
		want := "604800s"
		if name == "quarantine-fallback-hold" {
			want = "2678400s"
		}
		if got := s.text("message_retention_duration"); got != want {
			t.Errorf("%s keeps messages for %s, want %s", name, got, want)
		}
	}
}
