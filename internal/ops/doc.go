// Package ops is the operations listener that every server has beside its work:
//
//	/metrics      Prometheus
//	/healthz      200 while the process can answer at all: restart it when it cannot
//	/readyz       200 "ok", or 503 and a reason a line: what an operator has to cure
//	/debug/pprof  profiles, on a loopback address only unless told otherwise
//
// It has no authentication: bind it where only the cluster or the machine can reach it.
package ops
