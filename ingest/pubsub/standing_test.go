package pubsub

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestHeldAndHealed(t *testing.T) {
	for _, test := range []struct {
		code codes.Code
		want string
		now  bool // not only after a while
	}{
		{codes.NotFound, "does not exist", true},
		{codes.PermissionDenied, "pubsub.subscriptions.consume", true},
		{codes.Unauthenticated, "pubsub.subscriptions.consume", true},
		{codes.ResourceExhausted, "ResourceExhausted", false},
		{codes.Unknown, "Unknown", false},
		{codes.FailedPrecondition, "FailedPrecondition", false},
		{codes.Canceled, "Canceled", false},
	} {
		t.Run(test.code.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService()
				s.publish(10)
				heal := time.Now().Add(10 * time.Minute)
				s.opening = func(int) error {
					if time.Now().Before(heal) {
						return status.Error(test.code, strings.Repeat("x", 10_000))
					}
					return nil
				}
				r := s.pull(t, nil)
				pass(time.Second)
				if unreached := strings.Contains(strings.Join(r.Holds.Reasons(), ""), "not been reached yet"); unreached == test.now {
					t.Errorf("after a second: %q", r.Holds.Reasons())
				}
				pass(time.Minute)
				why := strings.Join(r.Holds.Reasons(), "\n")
				if !strings.Contains(why, subscription) || !strings.Contains(why, test.want) || len(why) > 600 {
					t.Errorf("held for %q, want %q", why, test.want)
				}
				r.wantAcked(10)
				if why := r.Holds.Reasons(); len(why) != 0 {
					t.Errorf("still held: %q", why)
				}
				r.mustEnd()
			})
		})
	}
}

func TestAnIdleSubscriptionHealsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService()
		s.opening = func(n int) error {
			if n < 3 {
				return status.Error(codes.NotFound, "")
			}
			return nil
		}
		r := s.pull(t, nil)
		pass(time.Minute)
		if why := r.Holds.Reasons(); len(why) != 0 || r.streams != 3 {
			t.Errorf("held for %q after %d streams", why, r.streams)
		}
		r.mustEnd()
	})
}

func TestSilentStreamIsOpenedAgain(t *testing.T) {
	for _, test := range []struct{ answers, least, most int }{
		{-1, 1, 1}, // a service that answers
		{0, 1, 1},  // one that never does
		{3, 2, 2},  // one that stops: the second stream never hears an answer
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newService()
			s.answers = test.answers
			r := s.pull(t, nil)
			pass(10 * time.Minute)
			s.mu.Lock()
			if s.streams < test.least || s.streams > test.most || s.pings < 18 {
				t.Errorf("%d answers: %d streams, %d pings", test.answers, s.streams, s.pings)
			}
			s.mu.Unlock()
			r.mustEnd()
		})
	}
}
