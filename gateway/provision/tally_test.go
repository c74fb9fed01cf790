package provision

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"iotbridge/gateway"
)

// P1: a flood fills neither the log nor the audit log, and both say how large it was.
func TestP1_AFloodIsCounted(t *testing.T) {
	l := &tallies{wake: make(chan struct{}, 1)}
	now := time.Unix(1_800_000_000, 0)
	lines, told := 0, 0
	add := func(profile string, code Code) {
		logged, silent := l.add(kind{profile, code}, gateway.AuditEntry{Detail: string(code)}, now)
		if logged {
			lines++
			told += silent + 1
		}
	}
	const flood = 100_456
	for range flood {
		add("batch", DeniedByList)
	}
	due := l.take()
	if len(due) != 6 || due[0].Detail != "DENIED_DENYLIST" || due[5].Detail != "DENIED_DENYLIST, 100000 since 2027-01-15T08:00:00Z" || len(l.wake) != 1 {
		t.Errorf("%d records: %+v", len(due), due)
	}
	if lines != maxLines {
		t.Errorf("%d lines in a minute", lines)
	}
	now = now.Add(time.Minute)
	add("batch", DeniedByList)
	if told != flood+1 {
		t.Errorf("the log tells of %d", told)
	}
	add("batch", NotInAllowList) // another kind has its own
	add("batch", PendingApproval)
	add("batch", StoreUnavailable)
	if due := l.take(); len(due) != 1 || due[0].Detail != "NOT_IN_ALLOWLIST" {
		t.Errorf("%+v", due)
	}
	now = now.Add(tallyTime)
	add("batch", DeniedByList)
	if due := l.take(); len(due) != 1 || strings.Contains(due[0].Detail, "since") {
		t.Errorf("an hour later: %+v", due)
	}
	// However many profiles there are, what is remembered is bounded.
	for i := range 2 * maxTallies {
		add(fmt.Sprintf("batch%d", i), DeniedByList)
	}
	if len(l.of) > maxTallies+1 || len(l.take()) != maxDue {
		t.Errorf("%d kinds", len(l.of))
	}
	now = now.Add(tallyTime)
	add("late", DeniedByList)
	if len(l.of) > 2 {
		t.Errorf("%d kinds an hour later", len(l.of))
	}
}
