package pubsub

// Stats is a subscription's state, for people and tests.
type Stats struct {
	Topic   string
	Unacked int64 // published, within retention, and not acknowledged
	Leased  int   // of them, with a subscriber now
}

// Stats tells of every subscription, by its full name.
func (s *Server) Stats() map[string]Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make(map[string]Stats, len(s.subscriptions))
	for name, q := range s.subscriptions {
		q.mu.Lock()
		q.advance(s.now())
		st := Stats{Topic: q.config.Load().Topic, Unacked: q.unacked.Load()}
		for _, e := range q.timed {
			if e.state == leased {
				st.Leased++
			}
		}
		q.mu.Unlock()
		out[name] = st
	}
	return out
}
