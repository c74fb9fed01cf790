package pubsub

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

// patience is how long a source may be without a stream before it counts as held.
const patience = 10 * time.Second

// standing tells Holds how a source stands with the service.
type standing struct {
	s *Source

	mu      sync.Mutex
	streams int       // accepted by the service
	since   time.Time // without any
	held    ingest.Cause
}

// begin holds the source until the service serves a first stream.
func (st *standing) begin(s *Source) {
	st.s, st.since = s, time.Now()
	s.Holds.Set(st.place(), &ingest.Held{Cause: ingest.Unavailable, Detail: s.Subscription + " has not been reached yet"})
}

func (st *standing) place() string { return "subscription " + st.s.Subscription }

// gained says that the service serves one stream more.
func (st *standing) gained() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.streams++
	st.s.Holds.Clear(st.place())
	if st.held != "" {
		st.held = ""
		st.s.Log.Info("the subscription is pulled again", zap.String("subscription", st.s.Subscription))
	}
}

// lost says that a stream ended, and whether it was one of those served.
func (st *standing) lost(served bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if served {
		if st.streams--; st.streams == 0 {
			st.since = time.Now()
		}
	}
	if st.streams > 0 {
		return
	}
	held := verdict(st.s.Subscription, err)
	if held.Cause == ingest.Unavailable && time.Since(st.since) < patience {
		return
	}
	st.s.Holds.Set(st.place(), held)
	if st.held != held.Cause {
		st.held = held.Cause
		st.s.Log.Warn("the subscription cannot be pulled", zap.String("cause", string(held.Cause)), zap.String("detail", held.Detail))
	}
}

// verdict says in an operator's words why a subscription cannot be pulled.
func verdict(subscription string, err error) *ingest.Held {
	switch status.Code(err) {
	case codes.NotFound:
		return &ingest.Held{
			Cause:  ingest.Missing,
			Detail: subscription + " does not exist: create it, or correct its name",
		}
	case codes.PermissionDenied:
		return &ingest.Held{
			Cause:  ingest.Permission,
			Detail: "pulling " + subscription + " is denied: grant the worker's account pubsub.subscriptions.consume (roles/pubsub.subscriber)",
		}
	case codes.Unauthenticated:
		return &ingest.Held{
			Cause:  ingest.Permission,
			Detail: "no valid credentials for " + subscription + ": give the worker an account that has pubsub.subscriptions.consume (roles/pubsub.subscriber)",
		}
	}
	return &ingest.Held{
		Cause:  ingest.Unavailable,
		Detail: subscription + " cannot be pulled: " + bounded(err).Error(),
	}
}
