package main

import (
	"fmt"
	"strings"

	"github.com/goccy/go-googlesql"
)

// analyze judges every statement of a text and returns how many there are.
func (c *catalog) analyze(text string) (statements int, err error) {
	text = positional(strings.TrimSpace(text))
	at, err := googlesql.NewParseResumeLocationFromString(text)
	if err != nil {
		return 0, err
	}
	for {
		position, err := at.BytePosition()
		if err != nil {
			return statements, err
		}
		if strings.TrimSpace(text[position:]) == "" {
			return statements, nil
		}
		if _, err := googlesql.AnalyzeNextStatement(at, c.options, c, c.types); err != nil {
			return statements, err
		}
		statements++
	}
}

// columns analyses a query and returns what it answers with.
func (c *catalog) columns(query string) ([]column, error) {
	out, err := googlesql.AnalyzeStatement(query, c.options, c, c.types)
	if err != nil {
		return nil, err
	}
	statement, err := out.ResolvedStatement()
	if err != nil {
		return nil, err
	}
	q, ok := statement.(*googlesql.ResolvedQueryStmt)
	if !ok {
		return nil, fmt.Errorf("%T is no query", statement)
	}
	list, err := q.OutputColumnList()
	if err != nil {
		return nil, err
	}
	columns := make([]column, len(list))
	for i, output := range list {
		if columns[i].name, err = output.Name(); err != nil {
			return nil, err
		}
		resolved, err := output.Column()
		if err != nil {
			return nil, err
		}
		if columns[i].Googlesql_TypeNode, err = resolved.Type(); err != nil {
			return nil, err
		}
	}
	return columns, nil
}
