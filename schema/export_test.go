package schema

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the committed exports")

// golden holds a committed copy equal to what the tables say today.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: run go test ./schema -update", err)
	}
	if got != string(want) {
		t.Errorf("%s is not what the tables say: run go test ./schema -update", file)
	}
}

func TestCommittedExportsEqualTheTables(t *testing.T) {
	for _, name := range BuiltinNames() {
		table, err := Builtin(name)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "export/"+name+".json", table.BigQueryJSON())
		golden(t, "export/"+name+".tf", table.Terraform())
		golden(t, "sql/"+name+".ddl.sql", table.DDL("", ""))
	}
}

// nasty has in its descriptions whatever one of the forms could trip over.
func nasty() *Table {
	return &Table{
		Name:        "nasty",
		Description: "a \"quote\", a \\, a ${variable}, a %{directive},\na line, <b> & ü\x01",
		Columns: []Column{
			{Name: "order", Type: Int64, From: "body.order", Description: "reserved word, '; DROP TABLE x; --"},
			{Name: "flag", Type: Bool, From: "body.flag", Description: "`backquoted`\ttab"},
		},
		Unknown: Drop,
	}
}

func TestExportsEscapeDescriptions(t *testing.T) {
	table := nasty()
	ddl := table.DDL("p", "d")
	for _, want := range []string{
		"`p.d.nasty`", "`order` INT64 OPTIONS", "PARTITION", "CLUSTER",
		`"a \"quote\", a \\, a ${variable}, a %{directive},\na line, <b> & ü\x01"`, `\x09tab`,
	} {
		absent := want == "PARTITION" || want == "CLUSTER"
		if strings.Contains(ddl, want) == absent {
			t.Errorf("%q in the DDL is %t\n%s", want, !absent, ddl)
		}
	}
	var fields []field
	if err := json.Unmarshal([]byte(table.BigQueryJSON()), &fields); err != nil {
		t.Fatal(err)
	}
	if fields[0].Type != "INTEGER" || fields[1].Type != "BOOLEAN" || fields[1].Description != table.Columns[1].Description {
		t.Errorf("got %+v", fields)
	}
	if hcl := table.Terraform(); !strings.Contains(hcl, `a $${variable}, a %%{directive},\na line`) {
		t.Errorf("templates are live in\n%s", hcl)
	}
}

// Terraform's own formatter is the judge of the layout, where it is installed.
func TestTerraformIsFormatted(t *testing.T) {
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("NOT CHECKED: terraform is not installed")
	}
	tables := []*Table{nasty()}
	for _, name := range BuiltinNames() {
		table, _ := Builtin(name)
		tables = append(tables, table)
	}
	for _, table := range tables {
		file := filepath.Join(t.TempDir(), "table.tf")
		if err := os.WriteFile(file, []byte(table.Terraform()), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(terraform, "fmt", "-diff", "-check", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", table.Name, err, out)
		}
	}
}
