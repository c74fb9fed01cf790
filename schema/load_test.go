package schema

import (
	"os"
	"strings"
	"testing"
)

// good is a small table that Load takes; the rows of TestLoadIsStrict spoil it.
const good = `name: humidity
description: Humidity readings.
claim: device_id
unknown: keep
partition: at
cluster: [device_id]
columns:
  - {name: device_id, type: STRING, required: true, from: attribute.deviceId, description: Who.}
  - {name: at, type: TIMESTAMP, from: body.at, unit: ms, description: When.}
  - {name: humidity, type: FLOAT64, from: body.humidity, min: 0, max: 100, description: Percent.}
  - {name: note, type: STRING, from: body.note, max_bytes: 64, description: Words.}
  - {name: extra, type: JSON, from: body.*, description: The rest.}
`

func TestLoadTakesTheGoodTable(t *testing.T) {
	table, err := Load("humidity.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	c := table.Column("humidity")
	if c == nil || c.Type != Float64 || *c.Min != 0 || *c.Max != 100 || table.Column("note").MaxBytes != 64 || table.Column("at").Unit != "ms" {
		t.Errorf("got %+v", table)
	}
	if table.Column("none") != nil {
		t.Error("a column that is not there was found")
	}
}

func TestLoadIsStrict(t *testing.T) {
	cluster := func(list string) string { return "cluster: [" + list + "]" }
	for _, row := range []struct{ name, from, to, want string }{
		{"empty", good, "", "t.yaml:1: "},
		{"no mapping", good, "- 1", "t.yaml:1: "},
		{"broken YAML", "cluster: [device_id]", "cluster: [device_id", "t.yaml:7: "},
		{"two documents", "columns:", "---\ncolumns:", "t.yaml:"},
		{"too large", good, strings.Repeat("#", MaxSource+1), "the most is"},
		{"unknown key", "claim:", "claims:", "t.yaml:3: unknown key claims"},
		{"unknown key of a column", "unit: ms", "units: ms", "t.yaml:9: unknown key units"},
		{"duplicate key", "claim: device_id", "claim: device_id\nclaim: device_id", "t.yaml:4: "},
		{"duplicate key of a column", "unit: ms", "unit: ms, unit: ms", "t.yaml:9: "},
		{"text for a number", "max: 100", "max: lots", "t.yaml:10: "},
		{"quoted number", "max: 100", `max: "100"`, "t.yaml:10: "},
		{"text for a boolean", "required: true", "required: maybe", "t.yaml:8: "},
		{"fraction for a count", "max_bytes: 64", "max_bytes: 6.5", "t.yaml:11: "},
		{"text for a list", cluster("device_id"), "cluster: device_id", "t.yaml:6: "},
		{"mapping for a text", "claim: device_id", "claim: {a: b}", "t.yaml:3: "},
		{"number for a text", "Words.", "5", "t.yaml:11: "},
		{"boolean for a text", "Words.", "true", "t.yaml:11: "},
		{"null for a text", "Words.", "~", "t.yaml:11: "},
		{"null for a list", "[device_id]", "", "t.yaml:6: "},
		{"alias", "cluster: [device_id]", "cluster: &c [device_id, *c]", "t.yaml:6: "},
		{"alias of a text", "Humidity readings.\nclaim: device_id", "&d Humidity.\nclaim: *d", "t.yaml:3: claim is an alias"},
		{"merge", "partition: at\n", "<<: {partition: at}\n", "t.yaml:5: \"<<\" is no key"},
		{"value without a key", "claim: device_id", ": device_id", "t.yaml:3: \"\" is no key"},

		{"no name", "name: humidity\n", "", `t.yaml:1: name "" is no table name`},
		{"name", "name: humidity", "name: hum-idity", `t.yaml:1: name "hum-idity" is no table name`},
		{"no description", "Humidity readings.", "''", "t.yaml:2: a description"},
		{"claim", "claim: device_id", "claim: who.id", "t.yaml:3: claim"},
		{"unknown word", "unknown: keep", "unknown: hide", `t.yaml:4: unknown "hide"`},
		{"unknown missing", "unknown: keep\n", "", "t.yaml:1: unknown is missing"},
		{"unknown against body.*", "unknown: keep", "unknown: reject", "t.yaml:4: a column from body.*"},
		{"keep without body.*", "from: body.*", "from: body", "t.yaml:4: unknown: keep needs"},
		{"partition by nothing", "partition: at", "partition: when", "t.yaml:5: partition"},
		{"partition by a text", "partition: at", "partition: note", "t.yaml:5: partition"},
		{"cluster by nothing", cluster("device_id"), cluster("nobody"), "t.yaml:6: clustering"},
		{"cluster by a float", cluster("device_id"), cluster("humidity"), "BigQuery does not cluster by FLOAT64"},
		{"cluster by JSON", cluster("device_id"), cluster("extra"), "BigQuery does not cluster by JSON"},
		{"cluster twice", cluster("device_id"), cluster("note, note"), "twice"},
		{"five clusters", cluster("device_id"), cluster("device_id, at, note, device_id, at"), "5 clustering columns"},

		{"column name", "{name: note", "{name: 1note", "t.yaml:11: "},
		{"column name too long", "{name: note", "{name: " + strings.Repeat("n", 301), "t.yaml:11: "},
		{"column name reserved", "{name: note", "{name: _partitionTime", "BigQuery keeps names"},
		{"column twice", "{name: note", "{name: Humidity", "t.yaml:11: table humidity: column Humidity: there twice"},
		{"no column description", ", description: Words.", "", `t.yaml:11: column note: a description`},
		{"column type", "type: STRING, from", "type: TEXT, from", `t.yaml:11: column note: type "TEXT"`},
		{"no source", "from: body.note, ", "", `t.yaml:11: column note: from ""`},
		{"source", "from: body.note", "from: header.note", "t.yaml:11: "},
		{"nameless member", "from: body.note", "from: body.", "t.yaml:11: "},
		{"nested member", "from: body.note", "from: body.note.text", "members of inner objects cannot be taken"},
		{"nameless attribute", "from: attribute.deviceId", "from: attribute.", "t.yaml:8: "},
		{"body is JSON", "from: body.note", "from: body", "from body is JSON, not STRING"},
		{"fact of another type", "from: body.note", "from: message.publishTime", "from message.publishTime is TIMESTAMP, not STRING"},
		{"fact unheard of", "from: body.note", "from: message.size", "is none of"},
		{"required rest", "from: body.*", "required: true, from: body.*", "cannot be required"},
		{"required claim", "from: body.note", "required: true, from: verdict.claim", "cannot be required"},
		{"min above max", "min: 0", "min: 101", "t.yaml:10: table humidity: column humidity: min 101 is above max 100"},
		{"min is no number", "min: 0", "min: .nan", "t.yaml:10: table humidity: column humidity: min and max are finite"},
		{"max without end", "max: 100", "max: .inf", "t.yaml:10: table humidity: column humidity: min and max are finite"},
		{"min of a text", "max_bytes: 64", "min: 1", "t.yaml:11: table humidity: column note: min and max are for numbers"},
		{"bytes of a number", "min: 0", "max_bytes: 8", "max_bytes is"},
		{"bytes below 0", "max_bytes: 64", "max_bytes: -1", "max_bytes is"},
		{"unit", "unit: ms", "unit: minutes", `t.yaml:9: table humidity: column at: unit "minutes"`},
		{"bytes of a member", "type: STRING, from: body.note, max_bytes: 64", "type: BYTES, from: body.note", "t.yaml:11: table humidity: column note: from a member"},
		{"member twice", "from: body.note", "from: body.humidity", "t.yaml:11: table humidity: column note: member"},
		{"claim stored", "from: body.note", "from: body.device_id", "is the claim"},
		{"unit of a text", "max_bytes: 64", "unit: s", `unit "s": s, ms`},
	} {
		t.Run(row.name, func(t *testing.T) {
			src := strings.Replace(good, row.from, row.to, 1)
			if src == good {
				t.Fatal("the row spoils nothing")
			}
			table, err := Load("t.yaml", []byte(src))
			if err == nil {
				t.Fatalf("taken: %+v", table)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("got  %q\nwant %q in it", err, row.want)
			}
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "t.yaml:") {
					t.Errorf("no place in %q", line)
				}
			}
		})
	}
}

// Load survives what it cannot take, and what it takes can be exported.
func FuzzLoad(f *testing.F) {
	for _, src := range []string{good, "columns: &c [*c]", "name: &c [*c]", "&a {columns: [*a]}", "&a [*a]", ": &c [*c]", "? [a]\n: b", "columns: [{<<: {name: x}}]"} {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		table, err := Load("t.yaml", src)
		if err != nil {
			return
		}
		_, _, _ = table.DDL("", ""), table.Terraform(), table.BigQueryJSON()
	})
}

func TestLoadReportsEveryFault(t *testing.T) {
	src := strings.NewReplacer("name: humidity\n", "name: h-1\n", "type: FLOAT64", "type: DOUBLE", "Words.", "''").Replace(good)
	_, err := Load("t.yaml", []byte(src))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("want three lines, got %v", err)
	}
}

func TestANewSensorIsAFileOfYAML(t *testing.T) {
	src, err := os.ReadFile("testdata/humidity.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table, err := Load("humidity.yaml", src)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Compile(); err != nil {
		t.Error(err)
	}
}
