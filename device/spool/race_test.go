//go:build race

package spool

const (
	raceDetector = true
	backlog      = sevenDays / 10
)
