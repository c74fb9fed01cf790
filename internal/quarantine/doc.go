// Package quarantine looks into the quarantine's table and brings back what was
// refused once and is good today.
//
//	quarantine ──messages──▶ gate, with today's schema ──▶ table     (once an id)
//	                              │                          │
//	                              └── still rejected         └── stored
//	                                        └──▶ quarantine_replays ◀──┘
//
// A row of the quarantine is never changed. A replay keeps message id and publish
// time, and passes over ids that the table already has: it may be run again, and
// after a kill it is. Two at the same time are not kept apart.
//
// The gate is the worker's whole gate. What was refused for its signature, or because
// its device was blocked, comes back only through a gate that knows keys or deny list.
//
// What may fail, and what then happens: rows that BigQuery refuses are logged as
// rejected_by_bigquery and the others stored; anything else ends the replay with an
// error, and the next one goes on from there. Rows are stored before the replay is
// logged, so that a kill between the two makes the next one log already_stored.
package quarantine
