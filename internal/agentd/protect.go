package agentd

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"go.uber.org/zap"
)

// memory is what the collector keeps the heap and the runtime below, in bytes: with
// the program's pages, less than 30 MiB are resident.
const memory = 20 << 20

// protect narrows what can be learned from the process and what it leaves behind,
// and bounds its memory. GOMEMLIMIT overrules that.
func protect(log *zap.Logger) {
	syscall.Umask(0o077)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // who reads the log may go; the agent stays
	if err := noDump(); err != nil {
		log.Warn("a crash of the agent may leave its key in a core dump", zap.Error(err))
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	if os.Geteuid() == 0 {
		log.Warn("the agent runs as root, which it does not need: give it a user of its own")
	}
}
