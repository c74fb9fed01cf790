// Googlesql passes every SQL text of the product through the GoogleSQL analyzer,
// BigQuery's own, compiled to Go: syntax, names, types, functions and grouping
// are judged as BigQuery judges them, without BigQuery.
//
//	cd internal/tools/googlesql && go test ./...                 # all that the product carries
//	cd internal/tools/googlesql && go run . -dir DIR [-dir DIR]  # *.sql of other folders too
//
// Texts:
//
//	the tables' DDL      schema.Table.DDL, of the built-in tables
//	the views            schema.Views, as CREATE VIEW; each one's columns are then a table for the next
//	files                each *.sql of the product that names ${DATASET}: the views' queries, BigQuery ML's, the
//	                     commands' own; and every *.sql below a -dir. The placeholders are filled in
//
// It is a module of its own because the analyzer takes minutes and more than
// 6 GB of memory to build, once; a statement then takes about a millisecond.
//
// What is not analysed, since it is BigQuery's and not the language's:
//
//   - names, types and values in OPTIONS (...), a model's among them: the analyzer
//     accepts any option;
//   - what a column may be partitioned or clustered by; schema.Load checks that;
//   - inside ML.FORECAST, ML.DETECT_ANOMALIES and AI.FORECAST: they are declared in ml.go
//     and ai.go with the arguments and columns that BigQuery's pages give for our
//     series, so calls are checked against that, not against a real model;
//   - @parameters: they are taken with whatever type their place asks for;
//   - cost, quotas, permissions, and whether a table is there.
package main
