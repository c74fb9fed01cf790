package schema

import "testing"

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
