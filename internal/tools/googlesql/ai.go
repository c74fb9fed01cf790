package main

import (
	"regexp"

	"github.com/goccy/go-googlesql"

	"iotbridge/schema"
)

// named are AI.FORECAST's arguments after the relation, in the order in which our texts
// have to give them: the binding can declare no name, so they are analysed by position.
var named = regexp.MustCompile(`(?s)\bdata_col => (.*?)\btimestamp_col => (.*?)\bid_cols => (.*?)\bhorizon => (.*?)\bconfidence_level => `)

// positional takes those names off; with another name, or another order, they stay, and
// the analyzer refuses them.
func positional(text string) string {
	return named.ReplaceAllString(text, "${1}${2}${3}${4}")
}

// addAI declares AI.FORECAST for our series, as BigQuery's page on it gives it.
func (c *catalog) addAI() error {
	ai, err := googlesql.NewSimpleCatalog("ai", c.types)
	if err != nil {
		return err
	}
	relation, err := googlesql.NewFunctionArgumentTypeAnyRelation()
	if err != nil {
		return err
	}
	arguments := []*googlesql.FunctionArgumentType{relation}
	text, err := c.types.GetString()
	if err != nil {
		return err
	}
	texts, err := c.types.MakeArrayType2(text)
	if err != nil {
		return err
	}
	horizon, err := c.types.GetInt64()
	if err != nil {
		return err
	}
	level, err := c.types.GetDouble()
	if err != nil {
		return err
	}
	for _, node := range []googlesql.Googlesql_TypeNode{text, text, texts, horizon, level} {
		argument, err := googlesql.NewFunctionArgumentType3(node, 1)
		if err != nil {
			return err
		}
		arguments = append(arguments, argument)
	}
	if err := c.addSeries(ai, "forecast", arguments, fields{
		{"forecast_timestamp", schema.Timestamp},
		{"forecast_value", schema.Float64},
		{"confidence_level", schema.Float64},
		{"prediction_interval_lower_bound", schema.Float64},
		{"prediction_interval_upper_bound", schema.Float64},
		{"ai_forecast_status", schema.String},
	}); err != nil {
		return err
	}
	return c.AddCatalog(ai)
}
