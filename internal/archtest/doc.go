// Package archtest keeps who may import whom:
//
//	cmd/*  →  edges  →  cores  →  schema  →  standard library (and a YAML reader)
//
// A core is a program's idea (ingest, device, gateway), an edge a folder below it.
// localcloud stands in for Google: only tests and the all-in-one command know it.
// The rules are a pure function over a graph, so that they are themselves tested.
package archtest
