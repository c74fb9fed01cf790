// Package warehouse is what the console shows of BigQuery: rows by the minute, a
// device's readings, the quarantine, and its replay.
//
//	console ──▶ Warehouse ──queries──▶ temperature, quarantine
//	                 └────── replay ─▶ internal/quarantine, as the command line's
//
// Each query names the partitions that it reads: what is asked once in a while by all
// who look costs the least that BigQuery bills. Flow is asked at most every Every, and
// answered from what was read then; on the service that is a minute.
package warehouse
