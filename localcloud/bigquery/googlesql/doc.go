// Package googlesql translates simple GoogleSQL queries to SQLite.
//
//	text ──tokenize──▶ tokens ──parse──▶ tree ──translate──▶ SQLite's text, with a type for each column
//
// Nothing of the query's text reaches SQLite as it came: names are looked up and quoted,
// literals are read and written again, functions come from a closed list. What is not
// understood is an error that names it and where it stands. There is no statement but SELECT.
//
// Served: WITH, SELECT with DISTINCT, *, * EXCEPT, FROM tables, views, subqueries and joins, WHERE,
// GROUP BY, HAVING, ORDER BY, LIMIT, set operations, subqueries as values, IN, EXISTS, CASE, CAST, named and
// positional parameters, aggregates, window functions, and the functions in functions*.go.
//
// How values are kept is told in the doc of the package above; a TIMESTAMP or a DATE is text that
// sorts. What differs from the service: a division by zero is NULL, an overflow is SQLite's
// affair, a column that is neither grouped nor aggregated is taken from some row of the group, and a
// number in JSON keeps its text.
package googlesql
