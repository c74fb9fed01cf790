//go:build !race

package spool

const (
	raceDetector = false
	backlog      = sevenDays
	steps        = 2000
)
