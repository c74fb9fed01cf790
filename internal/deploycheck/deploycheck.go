package deploycheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"iotbridge/internal/testprograms"
)

// Flag is one that --help lists.
type Flag struct {
	Name    string // with its dashes: "--ops"
	Env     string // the variable that says the same; "" when none does
	Default string // as help shows it; "" when it shows none
	Switch  bool   // takes no value
}

// Flags returns by name what a program, or one of its commands, can be told, as in
// Flags(t, "iotbridge", "local").
func Flags(t testing.TB, program string, command ...string) map[string]Flag {
	t.Helper()
	text := testprograms.Help(t, 5000, program, command...) // each flag is a line
	flags := parse(text)
	if len(flags) == 0 {
		t.Fatalf("%s %s --help lists no flag:\n%s", program, strings.Join(command, " "), text)
	}
	return flags
}

// CommandLine reports each argument that begins with - and names no flag of the
// program, or wants a value and has none, and each variable that nothing reads. Of the
// worker and the gateway the program's own parser then judges the values. The arguments
// are those after the program's name, its commands before its flags; a value that is
// filled in where it is deployed has to look like what it stands for.
func CommandLine(t testing.TB, program string, args []string, env map[string]string) {
	t.Helper()
	first := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "-") })
	if first < 0 {
		first = len(args)
	}
	wrong := faults(Flags(t, program, args[:first]...), args[first:], env)
	if judge := judges[program]; judge != nil && len(wrong) == 0 {
		for name, value := range env {
			t.Setenv(name, value)
		}
		if err := judge(&elsewhere{}, args); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	for _, text := range wrong {
		t.Errorf("%s %s: %s", program, strings.Join(args, " "), text)
	}
}

// foreign are the variables that Go, Google's clients and pgx read.
var foreign = []string{
	"GOMEMLIMIT", "GOMAXPROCS", "GOGC", "GODEBUG", "TZ",
	"GOOGLE_APPLICATION_CREDENTIALS", "PUBSUB_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "BIGQUERY_STORAGE_EMULATOR_HOST",
	"PGPASSWORD", "PGPASSFILE", "PGSSLROOTCERT", "PGSSLMODE", "PGUSER", "PGHOST", "PGPORT", "PGDATABASE",
}

func faults(flags map[string]Flag, args []string, env map[string]string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, _, assigned := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "-") {
			continue
		}
		flag, known := flags[name]
		switch {
		case !known:
			out = append(out, "there is no flag "+name)
		case flag.Switch || assigned:
		case i+1 == len(args) || strings.HasPrefix(args[i+1], "-"):
			out = append(out, name+" wants a value")
		default:
			i++
		}
	}
	known := slices.Clone(foreign)
	for _, flag := range flags {
		known = append(known, flag.Env)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(known, name) {
			out = append(out, fmt.Sprintf("nothing reads the variable %s", name))
		}
	}
	return out
}
