package deploycheck

import (
	"regexp"
	"strings"
)

var (
	flagLine   = regexp.MustCompile(`^  (-[a-z],|   ) (--[a-z0-9-]+)(?:=("[^"]*"|\S+))?(?: +(\S.*))?$`)
	variable   = regexp.MustCompile(`\(\$([A-Z][A-Z0-9_]*)\)`)
	shown      = regexp.MustCompile(`\bDefault (\S+?)\.?(?: \(\$|$)`)
	quoted     = regexp.MustCompile(`^"(.*)"$`)
	resembling = regexp.MustCompile(`[A-Z]`) // a placeholder: FILE, P.D.T
)

func parse(text string) map[string]Flag {
	flags := map[string]Flag{}
	for line := range strings.Lines(text) {
		m := flagLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		f := Flag{Name: m[2], Switch: m[3] == ""}
		if m := variable.FindStringSubmatch(m[4]); m != nil {
			f.Env = m[1]
		}
		if d := shown.FindStringSubmatch(m[4]); d != nil {
			f.Default = d[1]
		} else if q := quoted.FindStringSubmatch(m[3]); q != nil {
			f.Default = q[1]
		} else if !resembling.MatchString(m[3]) {
			f.Default = strings.TrimSuffix(m[3], ",...")
		}
		flags[f.Name] = f
		if short, is := strings.CutSuffix(m[1], ","); is {
			flags[short] = f
		}
	}
	return flags
}
