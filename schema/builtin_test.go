package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestBuiltinsLoadAndCompile(t *testing.T) {
	for _, name := range BuiltinNames() {
		table, err := Builtin(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if table.Name != name {
			t.Errorf("%s.yaml is of table %s", name, table.Name)
		}
		if _, err := table.Compile(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Builtin("../etc/passwd"); err == nil {
		t.Error("a table of that name is built in")
	}
}

const trustedIdentity = `
device_id STRING REQUIRED attribute.deviceId
device_num_id STRING attribute.deviceNumId
registry_id STRING attribute.deviceRegistryId
location STRING attribute.deviceRegistryLocation
project_id STRING attribute.projectId
sub_folder STRING attribute.subFolder
gateway_id STRING attribute.gatewayId`

// The tables are a contract with whoever reads them: a column may be added, but
// none changed. BigQuery would refuse the worker's rows.
func TestBuiltinsKeepTheirColumns(t *testing.T) {
	for name, want := range map[string]string{
		"temperature": "claim device_id, unknown keep, partition event_time, cluster [device_id]" + trustedIdentity + `
event_time TIMESTAMP REQUIRED body.timestamp s
temperature FLOAT64 REQUIRED body.temperature -55..125
reading_id STRING body.reading_id 128
extra JSON body.*
message_id STRING REQUIRED message.id
publish_time TIMESTAMP REQUIRED message.publishTime
ingest_time TIMESTAMP worker.now`,
		"sensordata": "claim device_id, unknown drop, partition publish_time, cluster [device_id]" + trustedIdentity + `
payload JSON REQUIRED body
message_id STRING REQUIRED message.id
publish_time TIMESTAMP REQUIRED message.publishTime
ingest_time TIMESTAMP worker.now`,
		"quarantine": `claim , unknown , partition quarantine_time, cluster [reason device_id]
message_id STRING message.id
publish_time TIMESTAMP message.publishTime
quarantine_time TIMESTAMP worker.now
subscription STRING worker.subscription
reason STRING verdict.reason
detail STRING verdict.detail
device_id STRING attribute.deviceId
claimed_device_id STRING verdict.claim
attributes JSON message.attributes
data BYTES message.data
delivery_attempt INT64 message.attempt
worker STRING worker.name`,
	} {
		table, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := outline(table); !slices.Equal(got, strings.Split(want, "\n")) {
			t.Errorf("%s is\n%s\nwant\n%s", name, strings.Join(got, "\n"), want)
		}
	}
}

// outline is a table without its descriptions, a line a column.
func outline(t *Table) []string {
	lines := []string{fmt.Sprintf("claim %s, unknown %s, partition %s, cluster %s", t.Claim, t.Unknown, t.Partition, t.Cluster)}
	for _, c := range t.Columns {
		words := []string{c.Name, string(c.Type)}
		if c.Required {
			words = append(words, "REQUIRED")
		}
		words = append(words, c.From)
		if c.Min != nil && c.Max != nil {
			words = append(words, fmt.Sprintf("%v..%v", *c.Min, *c.Max))
		}
		if c.MaxBytes > 0 {
			words = append(words, fmt.Sprint(c.MaxBytes))
		}
		if c.Unit != "" {
			words = append(words, c.Unit)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}
