package schema

import (
	"fmt"
	"strings"
)

// DDL is the GoogleSQL statement that makes the table where it is not there
// yet. An empty project or dataset stays a placeholder.
func (t *Table) DDL(project, dataset string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (\n", path(project, dataset, t.Name))
	for i, c := range t.Columns {
		notNull, comma := "", ","
		if c.Required {
			notNull = " NOT NULL"
		}
		if i == len(t.Columns)-1 {
			comma = ""
		}
		fmt.Fprintf(&b, "  `%s` %s%s OPTIONS (description = %s)%s\n", c.Name, c.Type, notNull, literal(c.Description), comma)
	}
	b.WriteString(")\n")
	if t.Partition != "" {
		fmt.Fprintf(&b, "PARTITION BY TIMESTAMP_TRUNC(`%s`, DAY)\n", t.Partition)
	}
	if len(t.Cluster) > 0 {
		fmt.Fprintf(&b, "CLUSTER BY `%s`\n", strings.Join(t.Cluster, "`, `"))
	}
	fmt.Fprintf(&b, "OPTIONS (description = %s);\n", literal(t.Description))
	return b.String()
}

// path is a table's full name, quoted.
func path(project, dataset, name string) string {
	if project == "" {
		project = ProjectPlaceholder
	}
	if dataset == "" {
		dataset = DatasetPlaceholder
	}
	return "`" + project + "." + dataset + "." + name + "`"
}

// literal is a GoogleSQL string literal.
func literal(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
