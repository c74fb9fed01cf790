//go:build race

package spool

const (
	raceDetector = true
	backlog      = sevenDays / 10
	steps        = 400 // of a workload: the race detector sees nothing in it, and takes its time
)
