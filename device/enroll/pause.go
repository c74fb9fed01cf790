package enroll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	firstPause = time.Second
	maxPause   = 15 * time.Minute
	slowPause  = time.Hour      // an operator must act first
	maxAfter   = 24 * time.Hour // of what the gateway may ask for
)

// Refused is an answer that grants nothing.
type Refused struct {
	Status    int
	Code      string        // the gateway's, as ALREADY_PROVISIONED; "" when it did not say
	RequestID string        // by which an operator finds the reason
	After     time.Duration // Retry-After; 0: none said
}

func (r *Refused) Error() string {
	text := fmt.Sprintf("the gateway grants no credential: %d", r.Status)
	if r.Code != "" {
		text = fmt.Sprintf("the gateway grants no credential: %s (%d)", r.Code, r.Status)
	}
	switch r.Status {
	case http.StatusAccepted:
		text += ": an operator is to approve this device"
	case http.StatusUnauthorized:
		text += ": it does not take the certificate that was shown"
	case http.StatusForbidden:
		text += ": not on the list, denied or blocked: its operator finds the reason in the gateway's log"
	case http.StatusConflict:
		text += ": this board has another key already: an operator can reset its claim"
	}
	if r.RequestID != "" {
		text += ", request " + r.RequestID
	}
	return text
}

// pause is the wait after a failure, of which there have been some before. Jitter
// keeps a fleet apart that was refused together.
func pause(err error, failures int) time.Duration {
	var refused *Refused
	if errors.As(err, &refused) {
		switch refused.Status {
		case http.StatusAccepted, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if refused.After > 0 {
				after := min(max(refused.After, firstPause), maxAfter)
				return after + jitter(after/10)
			}
		case http.StatusForbidden, http.StatusConflict:
			return slowPause + jitter(slowPause/4)
		}
	}
	most := min(firstPause<<min(failures+1, 16), maxPause)
	return firstPause + jitter(most-firstPause)
}

func jitter(most time.Duration) time.Duration {
	return rand.N(most + 1) //nolint:gosec // jitter need not be secret
}

// retryAfter reads the header: seconds, or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(max(time.Duration(seconds)*time.Second, firstPause), maxAfter)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), firstPause), maxAfter)
	}
	return 0
}

// sleep is interrupted by ctx, and by wake.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-ctx.Done():
	}
}
