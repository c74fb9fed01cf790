package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// BigQuery's limits (cloud.google.com/bigquery/quotas, /docs/schemas, /docs/clustered-tables).
const (
	maxColumns           = 10000
	maxCluster           = 4
	maxDescription       = 16384 // of a table, in characters
	maxColumnDescription = 1024
)

var (
	identifier = grammar{regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), 300}

	// A member's name is taken as it stands; one with a dot would read like a
	// path into an inner object, which no column can take.
	memberName = grammar{regexp.MustCompile(`^[^.*\p{C}]+$`), 128}

	attributeName = grammar{regexp.MustCompile(`^[\x21-\x7e]+$`), maxAttributeKey}
)

// grammar is what a name may be, and of how many characters. A count in the expression
// itself would cost megabytes.
type grammar struct {
	form *regexp.Regexp
	most int
}

func (g grammar) MatchString(s string) bool {
	return utf8.RuneCountInString(s) <= g.most && g.form.MatchString(s)
}

// reserved are prefixes that BigQuery keeps for columns of its own, in any case.
var reserved = []string{"_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER", "_CHANGE_"}

// fault is something that a table says wrongly, and where it says so.
type fault struct {
	column int    // index, or -1 for the table itself
	key    string // YAML key, or ""
	text   string
}

func (f fault) Error() string { return f.text }

// faults are the things that BigQuery, or a reader of the table, would not take.
// Whether messages can be turned into its rows is for Compile to say.
func (t *Table) faults() (faults []fault) {
	wrong := func(key, format string, args ...any) {
		faults = append(faults, fault{-1, key, fmt.Sprintf(format, args...)})
	}
	if !identifier.MatchString(t.Name) {
		wrong("name", "name %q is no table name: letters, digits and _, not a digit first, 1 to 300", t.Name)
	}
	if n := utf8.RuneCountInString(t.Description); n == 0 || n > maxDescription {
		wrong("description", "a description of 1 to %d characters is needed, this has %d", maxDescription, n)
	}
	if t.Claim != "" && !memberName.MatchString(t.Claim) {
		wrong("claim", "claim %q is no member name: 1 to 128 characters, no dot and no asterisk", t.Claim)
	}
	if len(t.Columns) == 0 || len(t.Columns) > maxColumns {
		wrong("columns", "1 to %d columns are needed, these are %d", maxColumns, len(t.Columns))
	}
	faults = append(faults, t.unknownFaults()...)
	faults = append(faults, t.layoutFaults()...)
	for i := range t.Columns {
		c := &t.Columns[i]
		for _, f := range c.faults() {
			faults = append(faults, fault{i, f.key, fmt.Sprintf("column %s: %s", c.Name, f.text)})
		}
	}
	return faults
}

// unknownFaults checks that the table says what becomes of members that no
// column takes, and has a place for them if they are kept.
func (t *Table) unknownFaults() []fault {
	from := func(prefix string) bool {
		return slices.ContainsFunc(t.Columns, func(c Column) bool { return strings.HasPrefix(c.From, prefix) })
	}
	rest := from("body.*")
	switch t.Unknown {
	case Keep:
		if !rest {
			return []fault{{-1, "unknown", "unknown: keep needs a column from body.*"}}
		}
	case Drop, Reject:
		if rest {
			return []fault{{-1, "unknown", fmt.Sprintf("a column from body.* needs unknown: keep, not %s", t.Unknown)}}
		}
	case "":
		if from("body.") {
			return []fault{{-1, "unknown", "unknown is missing: keep, drop or reject the members that no column takes"}}
		}
	default:
		return []fault{{-1, "unknown", fmt.Sprintf("unknown %q is none of keep, drop, reject", t.Unknown)}}
	}
	return nil
}

// layoutFaults checks partitioning and clustering.
func (t *Table) layoutFaults() (faults []fault) {
	if c := t.Column(t.Partition); t.Partition != "" && (c == nil || c.Type != Timestamp) {
		faults = append(faults, fault{-1, "partition", fmt.Sprintf("partition %q is no TIMESTAMP column of the table", t.Partition)})
	}
	if len(t.Cluster) > maxCluster {
		faults = append(faults, fault{-1, "cluster", fmt.Sprintf("%d clustering columns, the most is %d", len(t.Cluster), maxCluster)})
	}
	for i, name := range t.Cluster {
		c := t.Column(name)
		switch {
		case c == nil:
			faults = append(faults, fault{-1, "cluster", fmt.Sprintf("clustering column %q is no column of the table", name)})
		case slices.Contains([]Type{Float64, Bytes, JSON}, c.Type):
			faults = append(faults, fault{-1, "cluster", fmt.Sprintf("clustering column %q: BigQuery does not cluster by %s", name, c.Type)})
		case slices.Contains(t.Cluster[:i], name):
			faults = append(faults, fault{-1, "cluster", fmt.Sprintf("clustering column %q is there twice", name)})
		}
	}
	return faults
}

func (c *Column) faults() (faults []fault) {
	wrong := func(key, format string, args ...any) {
		faults = append(faults, fault{key: key, text: fmt.Sprintf(format, args...)})
	}
	if !identifier.MatchString(c.Name) {
		wrong("name", "is no column name: letters, digits and _, not a digit first, 1 to 300")
	}
	for _, prefix := range reserved {
		if len(c.Name) >= len(prefix) && strings.EqualFold(c.Name[:len(prefix)], prefix) {
			wrong("name", "BigQuery keeps names that begin with %s for itself", prefix)
		}
	}
	if !slices.Contains([]Type{String, Bytes, Int64, Float64, Bool, Timestamp, JSON}, c.Type) {
		wrong("type", "type %q is none of STRING, BYTES, INT64, FLOAT64, BOOL, TIMESTAMP, JSON", c.Type)
	}
	if n := utf8.RuneCountInString(c.Description); n == 0 || n > maxColumnDescription {
		wrong("description", "a description of 1 to %d characters is needed, this has %d", maxColumnDescription, n)
	}
	if text := c.fromFault(); text != "" {
		wrong("from", "%s", text)
	}
	return faults
}

// fromFault says what is wrong with where the column comes from, or "".
func (c *Column) fromFault() string {
	kind, name, dotted := strings.Cut(c.From, ".")
	switch {
	case kind == "attribute" && attributeName.MatchString(name):
		return ""
	case c.From == "body", c.From == "body.*":
		if c.Type != JSON {
			return fmt.Sprintf("from %s is JSON, not %s", c.From, c.Type)
		}
		if c.Required && c.From == "body.*" {
			return "from body.* is NULL when no member is left: it cannot be required"
		}
		return ""
	case kind == "body" && dotted:
		if !memberName.MatchString(name) {
			return fmt.Sprintf("from %q: a member's name has 1 to 128 characters, no dot and no asterisk; members of inner objects cannot be taken", c.From)
		}
		return ""
	}
	fact, ok := sources[c.From]
	switch {
	case !ok:
		return fmt.Sprintf("from %q is none of attribute.NAME, body, body.NAME, body.*, %s", c.From, sourceNames())
	case fact != c.Type:
		return fmt.Sprintf("from %s is %s, not %s", c.From, fact, c.Type)
	case c.Required && (c.From == "message.attempt" || c.From == "verdict.claim"):
		return fmt.Sprintf("from %s may be NULL: it cannot be required", c.From)
	}
	return ""
}

func sourceNames() string {
	names := make([]string, 0, len(sources))
	for name := range sources {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
