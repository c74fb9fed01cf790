// Package bigquery serves the part of Google's BigQuery that this product uses,
// on this machine and kept on disk: datasets, tables, views and queries over REST
// (v2), and rows over the Storage Write gRPC service. The stock Go clients work
// against it unchanged.
//
//	AppendRows ──▶ stream ──▶ decode, judge ──▶ group ──commit──▶ SQLite file (WAL)
//	                  ◀── answers, in the order of the requests ──┘     │ read-only
//	REST ──▶ catalog (datasets, tables, views)                          ▼
//	     ──▶ jobs ──▶ googlesql: GoogleSQL to SQLite ──────────────▶ rows
//
// # What is on disk
//
// One SQLite table a BigQuery table, named project.dataset.table, so that the same
// backquoted name works here and there:
//
//	sqlite3 bigquery.db 'SELECT * FROM `demo.iot.temperature` LIMIT 5'
//
// STRING, JSON, DATE and TIMESTAMP are text, TIMESTAMP as 2026-11-23 07:29:37.123456
// in UTC with always six digits, so that it reads, sorts and compares; INT64 and BOOL are
// integers, FLOAT64 is real (NaN, which SQLite has not, the text NaN), BYTES a blob.
// The catalog is in the tables _datasets and _tables. Rows are never changed and
// never deleted singly: the highest rowid is the number of rows.
//
// # What may fail, and what then happens
//
//	kill −9         every confirmed row is there: an append is answered after the
//	                commit, and a commit is synced (WAL, synchronous=FULL)
//	disk full       UNAVAILABLE, in band: writers hold and try again; nothing of
//	                the request is stored
//	file locked     a second process is refused at Open; a program that keeps a
//	                write lock makes appends UNAVAILABLE
//	a bad row       nothing of the request is stored; row_errors name the rows
//	a bad schema    INVALID_ARGUMENT with a StorageError, nothing is stored
//	no such table   NOT_FOUND with a StorageError, and the stream ends
//
// A test makes it fail otherwise by Options.Faults; the methods are listed there.
//
// # What is not served
//
// Streams that the application creates (pending, buffered, committed with offsets),
// Arrow, REPEATED and RECORD columns, NUMERIC, DATETIME, TIME, GEOGRAPHY, default
// values, load, copy and extract jobs, DML and DDL. Each is refused by name. Table
// names that differ in case alone are the same table here. There is no
// authentication: bind it to loopback.
package bigquery
