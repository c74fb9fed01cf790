package main

import (
	"github.com/goccy/go-googlesql"

	"iotbridge/schema"
)

// series are the columns that name a time series of the model.
var series = []string{"project_id", "location", "registry_id", "device_id"}

// addML declares the model and the functions over it, as BigQuery's pages on
// ML.FORECAST and ML.DETECT_ANOMALIES give them for ARIMA_PLUS.
func (c *catalog) addML() error {
	model, err := googlesql.NewSimpleModel(project+"."+dataset+".temperature_model", nil, nil, false, 0)
	if err != nil {
		return err
	}
	if err := c.AddModel(model); err != nil {
		return err
	}
	ml, err := googlesql.NewSimpleCatalog("ml", c.types)
	if err != nil {
		return err
	}
	if err := c.addTVF(ml, "forecast",
		fields{{"horizon", schema.Int64}, {"confidence_level", schema.Float64}}, false,
		fields{
			{"forecast_timestamp", schema.Timestamp},
			{"forecast_value", schema.Float64},
			{"standard_error", schema.Float64},
			{"confidence_level", schema.Float64},
			{"prediction_interval_lower_bound", schema.Float64},
			{"prediction_interval_upper_bound", schema.Float64},
			{"confidence_interval_lower_bound", schema.Float64},
			{"confidence_interval_upper_bound", schema.Float64},
		}); err != nil {
		return err
	}
	if err := c.addTVF(ml, "detect_anomalies",
		fields{{"anomaly_prob_threshold", schema.Float64}}, true,
		fields{
			{"hour", schema.Timestamp},
			{"mean_temperature", schema.Float64},
			{"is_anomaly", schema.Bool},
			{"lower_bound", schema.Float64},
			{"upper_bound", schema.Float64},
			{"anomaly_probability", schema.Float64},
		}); err != nil {
		return err
	}
	if err := c.AddCatalog(ml); err != nil {
		return err
	}
	return c.addAI()
}

type fields []struct {
	name string
	schema.Type
}

// addTVF declares NAME(MODEL m, STRUCT<settings>[, relation]), which answers
// with the series and the columns given.
func (c *catalog) addTVF(ml *googlesql.SimpleCatalog, name string, settings fields, relation bool, answer fields) error {
	var arguments []*googlesql.FunctionArgumentType
	argument, err := googlesql.NewFunctionArgumentTypeAnyModel()
	if err != nil {
		return err
	}
	arguments = append(arguments, argument)
	members := make([]*googlesql.StructField, len(settings))
	for i, s := range settings {
		node, err := c.typeOf(s.Type)
		if err != nil {
			return err
		}
		members[i] = &googlesql.StructField{Name: s.name, Type_: node}
	}
	setting, err := c.types.MakeStructType2(members)
	if err != nil {
		return err
	}
	if argument, err = googlesql.NewFunctionArgumentType3(setting, 1); err != nil {
		return err
	}
	arguments = append(arguments, argument)
	if relation {
		if argument, err = googlesql.NewFunctionArgumentTypeAnyRelation(); err != nil {
			return err
		}
		arguments = append(arguments, argument)
	}
	return c.addSeries(ml, name, arguments, answer)
}

// addSeries declares a function that answers with the series and the columns given.
func (c *catalog) addSeries(in *googlesql.SimpleCatalog, name string, arguments []*googlesql.FunctionArgumentType, answer fields) error {
	var columns []*googlesql.TVFSchemaColumn
	for _, id := range series {
		text, err := c.types.GetString()
		if err != nil {
			return err
		}
		columns = append(columns, &googlesql.TVFSchemaColumn{Name: id, Type_: text})
	}
	for _, a := range answer {
		node, err := c.typeOf(a.Type)
		if err != nil {
			return err
		}
		columns = append(columns, &googlesql.TVFSchemaColumn{Name: a.name, Type_: node})
	}
	result, err := googlesql.NewTVFRelation(columns)
	if err != nil {
		return err
	}
	returns, err := googlesql.NewFunctionArgumentTypeRelationWithSchema(result, false)
	if err != nil {
		return err
	}
	signature, err := googlesql.NewFunctionSignature3(returns, arguments, 0)
	if err != nil {
		return err
	}
	tvf, err := googlesql.NewFixedOutputSchemaTVF([]string{name}, signature, result, &googlesql.TableValuedFunctionOptions{})
	if err != nil {
		return err
	}
	return in.AddOwnedTableValuedFunction3(name, tvf.TableValuedFunction)
}
