package device

import (
	"maps"
	"sync"
)

// board is where each part of the agent writes how it is.
type board struct {
	mu       sync.Mutex
	s        Status
	troubles [spoolWorks]string
}

// spoolWork is what is asked of the spool.
type spoolWork int

const (
	spoolAppends spoolWork = iota
	spoolReads
	spoolForgets
	spoolWorks // how many there are
)

// spool notes how a work of the spool went. It says whether that is news.
func (b *board) spool(work spoolWork, err error) (news bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.troubles[work]
	b.troubles[work] = ""
	if err != nil {
		b.troubles[work] = brief(err)
	}
	b.s.SpoolError = ""
	for _, t := range b.troubles {
		if b.s.SpoolError == "" {
			b.s.SpoolError = t
		}
	}
	return (was == "") != (err == nil)
}

func (b *board) update(f func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.s)
}

func (b *board) read() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.s
	s.SensorErrors, s.SensorFaults = maps.Clone(s.SensorErrors), maps.Clone(s.SensorFaults)
	return s
}

// brief makes an error fit for a status: a line of bounded length.
func brief(err error) string { return printable(err.Error(), 256) }
