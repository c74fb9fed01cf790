package schema

import (
	"fmt"
	"strings"
)

// Terraform is the table as a google_bigquery_table resource, in the layout of
// `terraform fmt`. It expects the variables project and dataset.
func (t *Table) Terraform() string {
	var b strings.Builder
	fmt.Fprintf(&b, "resource \"google_bigquery_table\" %s {\n", quoted(t.Name))
	b.WriteString("  project     = var.project\n  dataset_id  = var.dataset\n")
	fmt.Fprintf(&b, "  table_id    = %s\n  description = %s\n", quoted(t.Name), quoted(t.Description))
	if len(t.Cluster) > 0 {
		fmt.Fprintf(&b, "  clustering  = [\"%s\"]\n", strings.Join(t.Cluster, `", "`))
	}
	if t.Partition != "" {
		fmt.Fprintf(&b, "\n  time_partitioning {\n    type  = \"DAY\"\n    field = %s\n  }\n", quoted(t.Partition))
	}
	b.WriteString("\n  schema = jsonencode([\n")
	for _, f := range t.fields() {
		b.WriteString("    {\n")
		fmt.Fprintf(&b, "      name        = %s\n      type        = %s\n", quoted(f.Name), quoted(f.Type))
		fmt.Fprintf(&b, "      mode        = %s\n      description = %s\n    },\n", quoted(f.Mode), quoted(f.Description))
	}
	b.WriteString("  ])\n}\n")
	return b.String()
}

// quoted is an HCL string in which nothing is a template.
func quoted(s string) string {
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
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(b.String())
}
