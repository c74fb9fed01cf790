// Package ingestd puts the worker together: it turns settings into routes with their
// edges and runs them beside the operations listener. iotbridge-ingest is it, and
// iotbridge local runs it against the cloud on this machine.
package ingestd
