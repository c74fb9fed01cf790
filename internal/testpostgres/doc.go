// Package testpostgres gives tests a PostgreSQL: one server in a test binary, on a
// directory and a socket of its own, and a database for each test that asks.
// IOTBRIDGE_TEST_POSTGRES names a server that is there already.
package testpostgres
