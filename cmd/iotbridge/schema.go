package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"iotbridge/schema"
)

// schemaCommand shows tables, the built-in ones and those of YAML files.
type schemaCommand struct {
	Show   schemaShow   `cmd:"" help:"Print a table's columns and where they come from; without a table, the built-in tables."`
	Check  schemaCheck  `cmd:"" help:"Say whether a worker would take a table's YAML file, and if not, what is wrong in which line."`
	Export schemaExport `cmd:"" help:"Print a table as BigQuery's JSON schema, as DDL or as a Terraform resource; without a table all built-in ones, and with DDL their views."`
}

// maxTable is above what schema.Load takes: it says so itself.
const maxTable = 2 << 20

// tableNamed returns a built-in table, or that of a file, which has a dot or a
// slash in its name.
func tableNamed(name string) (*schema.Table, error) {
	if !strings.ContainsAny(name, "./"+string(filepath.Separator)) {
		return schema.Builtin(name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxTable))
	if err != nil {
		return nil, err
	}
	return schema.Load(name, src)
}

type schemaShow struct {
	Table string `arg:"" optional:"" name:"table" help:"A built-in table, or a YAML file."`
}

// Run prints what an analyst or an operator asks first.
func (c *schemaShow) Run(stdout io.Writer) error {
	var b strings.Builder
	if c.Table == "" {
		for _, name := range schema.BuiltinNames() {
			t, err := schema.Builtin(name)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s\t%s\n", t.Name, t.Description)
		}
		return printAligned(stdout, b.String())
	}
	t, err := tableNamed(c.Table)
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "%s: %s\n", t.Name, t.Description)
	if t.Partition != "" {
		fmt.Fprintf(&b, "partitioned by DAY(%s)\n", t.Partition)
	}
	if len(t.Cluster) > 0 {
		fmt.Fprintf(&b, "clustered by %s\n", strings.Join(t.Cluster, ", "))
	}
	b.WriteString("\nCOLUMN\tTYPE\tMODE\tFROM\tBOUNDS\tDESCRIPTION\n")
	for _, col := range t.Columns {
		mode := "NULLABLE"
		if col.Required {
			mode = "REQUIRED"
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", col.Name, col.Type, mode, col.From, bounds(&col), col.Description)
	}
	return printAligned(stdout, b.String())
}

// printAligned puts what stands between tabs into columns.
func printAligned(stdout io.Writer, text string) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	return w.Flush()
}

// bounds says what values a column takes, as short as it can be said.
func bounds(c *schema.Column) string {
	limit := func(f *float64) string {
		if f == nil {
			return ""
		}
		return strconv.FormatFloat(*f, 'f', -1, 64)
	}
	switch {
	case c.Min != nil || c.Max != nil:
		return limit(c.Min) + ".." + limit(c.Max)
	case c.MaxBytes > 0:
		return fmt.Sprintf("%d bytes", c.MaxBytes)
	}
	return c.Unit
}

type schemaCheck struct {
	File string `arg:"" help:"The YAML file."`
}

// Run prints one line for a good file; a bad one is an error with file and line.
func (c *schemaCheck) Run(stdout io.Writer) error {
	name := c.File
	if !strings.ContainsAny(name, "./") {
		name = "./" + name // a file even where a built-in table has the name
	}
	t, err := tableNamed(name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s: table %s, %d columns, ok\n", c.File, t.Name, len(t.Columns))
	return err
}

type schemaExport struct {
	Format  string `required:"" enum:"bigquery,ddl,terraform,ml" help:"One of ${enum}; ml is the forecast and the search for anomalies in BigQuery ML."`
	Project string `placeholder:"P" help:"Project in the DDL; $${PROJECT} stays without it."`
	Dataset string `placeholder:"D" help:"Dataset in the DDL; $${DATASET} stays without it."`
	Table   string `arg:"" optional:"" name:"table" help:"A built-in table, or a YAML file."`
}

// Run prints one table, or all that the product makes in a dataset.
func (c *schemaExport) Run(stdout io.Writer) error {
	names := schema.BuiltinNames()
	if c.Format == "ml" {
		return c.ml(stdout)
	}
	if c.Table != "" {
		names = []string{c.Table}
	} else if c.Format == "bigquery" {
		return errors.New("a JSON schema is of one table: name it, " + strings.Join(names, ", ") + " or a YAML file")
	}
	var texts []string
	for _, name := range names {
		t, err := tableNamed(name)
		if err != nil {
			return err
		}
		switch c.Format {
		case "bigquery":
			texts = append(texts, t.BigQueryJSON())
		case "terraform":
			texts = append(texts, t.Terraform())
		case "ddl":
			texts = append(texts, t.DDL(c.Project, c.Dataset))
		}
	}
	if c.Table == "" && c.Format == "ddl" {
		for _, v := range schema.Views(c.Project, c.Dataset) {
			texts = append(texts, v.DDL(c.Project, c.Dataset))
		}
	}
	_, err := io.WriteString(stdout, strings.Join(texts, "\n"))
	return err
}

// ml prints the statements over the temperatures, in the order in which they are run.
func (c *schemaExport) ml(stdout io.Writer) error {
	if c.Table != "" {
		return errors.New("the statements of BigQuery ML are about the temperatures: name no table")
	}
	var texts []string
	for _, q := range schema.Queries(c.Project, c.Dataset) {
		texts = append(texts, "-- "+q.Description+"\n"+q.SQL+";\n")
	}
	_, err := io.WriteString(stdout, strings.Join(texts, "\n"))
	return err
}
