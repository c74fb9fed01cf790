package mqtt

import (
	"context"

	"iotbridge/gateway"
)

type configs struct{}
type packetIDs struct{}

const notAttached = "x"

func (v *voice) silence(why gateway.Reason)                                  { v.session.end(why) }
func (c *session) complain(kind string, m message) gateway.Reason            { return badTopic }
func (c *session) attach(ctx context.Context, m message) gateway.Reason      { return badTopic }
func (c *session) detach(ctx context.Context, m message) gateway.Reason      { return badTopic }
func (c *session) acknowledged(ctx context.Context, p packet) gateway.Reason { return "" }
func (c *session) subscribe(ctx context.Context, p packet) gateway.Reason    { return "" }
func (c *session) unsubscribe(p packet) gateway.Reason                       { return "" }

// Run tells sessions what changes until ctx ends, and returns when Serve has, too.
func (s *Server) Run(ctx context.Context) error {
	if err := s.defaults(); err != nil {
		return err
	}
	<-ctx.Done()
	s.running.Wait()
	s.writers.end()
	return nil
}
