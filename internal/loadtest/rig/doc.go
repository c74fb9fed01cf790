// Package rig has what a load is compared on, each in a process of its own on this
// machine:
//
//	this process: load ──MQTT/TLS──▶ bare                the floor: verifies the token, answers at once
//	                   └────────────▶ gateway ──gRPC──▶ pubsub, which answers after 20 ms
//
// The gateway is the whole one, as iotbridge-gateway runs it, over a registry in
// SQLite and with attestation. Only Pub/Sub is a stand-in, which keeps nothing.
//
// Boards that enrol are compared in the same way:
//
//	this process: boards ──JSON/mTLS──▶ signer       the floor: handshake, one check, one signature
//	                        └─────────▶ provision    the gateway, on SQLite or PostgreSQL
//
// A part is this program started again. It is told over its standard input what to
// serve, in a line, and says in a line where it does; it ends with its standard
// input. It begins with little memory: what it took to get ready is given back.
package rig
