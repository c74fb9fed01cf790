// Package localcloud is Pub/Sub and BigQuery on this machine: one directory, one
// process, three listeners that speak Google's own protocols in plaintext.
//
//	                 ┌──────────────── Cloud ────────────────┐
//	gRPC  :8085 ────▶│ pubsub    topics, subscriptions       │──▶ DIR/pubsub.db
//	REST  :9050 ────▶│ bigquery  datasets, tables, queries   │──▶ DIR/bigquery.db
//	gRPC  :9060 ────▶│ bigquery  Storage Write               │
//	                 └───────────────────────────────────────┘──▶ DIR/lock
//
// What they serve, and what happens when the disk or a file fails, stands with each
// of the two. Open takes the directory, the files and the ports, or says in one
// sentence what is in the way; Run answers until its context ends, and then lets
// go of all three, open streams included, within a few seconds. A kill −9 loses
// nothing that was answered.
//
// There is no authentication: it is for loopback.
package localcloud
