package schema

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed temperature.yaml sensordata.yaml quarantine.yaml
var builtin embed.FS

// BuiltinNames are the tables that every program carries, in a fixed order.
func BuiltinNames() []string { return []string{"temperature", "sensordata", "quarantine"} }

// Builtin returns a fresh copy of the built-in table of that name.
func Builtin(name string) (*Table, error) {
	file := name + ".yaml"
	src, err := builtin.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("no built-in table %q: there are %s", name, strings.Join(BuiltinNames(), ", "))
	}
	return Load(file, src)
}
