//go:build !linux

package agentd

func protection() string { return "dumpable 0, core 0, umask 077" }
