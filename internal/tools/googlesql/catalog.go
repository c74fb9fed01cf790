package main

import (
	"fmt"

	"github.com/goccy/go-googlesql"

	"iotbridge/schema"
)

// The names that stand for the placeholders while texts are analysed.
const (
	project = "project"
	dataset = "dataset"
)

// catalog is what a statement may refer to, and the analyzer that judges it.
type catalog struct {
	*googlesql.SimpleCatalog
	types   *googlesql.TypeFactory
	options *googlesql.AnalyzerOptions
}

// newCatalog holds GoogleSQL's functions, the built-in tables, the views and BigQuery ML.
func newCatalog() (*catalog, error) {
	if err := googlesql.Init(); err != nil {
		return nil, err
	}
	c := new(catalog)
	if err := c.language(); err != nil {
		return nil, err
	}
	for _, name := range schema.BuiltinNames() {
		table, err := schema.Builtin(name)
		if err != nil {
			return nil, err
		}
		columns := make([]column, len(table.Columns))
		for i, col := range table.Columns {
			columns[i].name = col.Name
			if columns[i].Googlesql_TypeNode, err = c.typeOf(col.Type); err != nil {
				return nil, err
			}
		}
		if err := c.add(name, columns); err != nil {
			return nil, err
		}
	}
	for _, v := range schema.Views(project, dataset) {
		columns, err := c.columns(v.SQL)
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", v.Name, err)
		}
		if err := c.add(v.Name, columns); err != nil {
			return nil, err
		}
	}
	return c, c.addML()
}

// language sets the analyzer up as BigQuery has it: all statements, external
// names of types, parameters by name.
func (c *catalog) language() error {
	language, err := googlesql.NewLanguageOptions()
	if err != nil {
		return err
	}
	c.options, err = googlesql.NewAnalyzerOptions2()
	if err != nil {
		return err
	}
	c.types, err = googlesql.NewTypeFactory()
	if err != nil {
		return err
	}
	c.SimpleCatalog, err = googlesql.NewSimpleCatalog(project, c.types)
	if err != nil {
		return err
	}
	for _, set := range []func() error{
		language.EnableMaximumLanguageFeatures,
		language.SetSupportsAllStatementKinds,
		func() error { return language.SetProductMode(googlesql.ProductModeProductExternal) },
		func() error { return c.options.SetLanguage(language) },
		func() error { return c.options.SetAllowUndeclaredParameters(true) },
		func() error {
			return c.AddBuiltinFunctionsAndTypes(&googlesql.BuiltinFunctionOptions{LanguageOptions: language})
		},
	} {
		if err := set(); err != nil {
			return err
		}
	}
	return nil
}

// column is a column of a table or of an answer.
type column struct {
	name string
	googlesql.Googlesql_TypeNode
}

// add makes a table known under its full name, which in backquotes is one identifier.
func (c *catalog) add(name string, columns []column) error {
	full := project + "." + dataset + "." + name
	table, err := googlesql.NewSimpleTable(full, 0)
	if err != nil {
		return err
	}
	for _, col := range columns {
		simple, err := googlesql.NewSimpleColumn(full, col.name, col.Googlesql_TypeNode, false, true)
		if err != nil {
			return err
		}
		if err := table.AddColumn2(simple, false); err != nil {
			return err
		}
	}
	return c.AddTable(table)
}

func (c *catalog) typeOf(t schema.Type) (googlesql.Googlesql_TypeNode, error) {
	switch t {
	case schema.String:
		return c.types.GetString()
	case schema.Bytes:
		return c.types.GetBytes()
	case schema.Int64:
		return c.types.GetInt64()
	case schema.Float64:
		return c.types.GetDouble()
	case schema.Bool:
		return c.types.GetBool()
	case schema.Timestamp:
		return c.types.GetTimestamp()
	case schema.JSON:
		return c.types.GetJson()
	}
	return nil, fmt.Errorf("no GoogleSQL type for %q", t)
}
