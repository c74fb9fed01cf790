package gatewayd

import (
	"context"
	"fmt"
	"io"

	"go.uber.org/zap"

	"iotbridge/gateway"
)

// Check asks every service whether the gateway could work, prints a line for each
// thing that is well, and returns the first fault.
func Check(ctx context.Context, s Settings, out io.Writer) error {
	a, err := assemble(ctx, s, zap.NewNop(), nil)
	if err != nil {
		return err
	}
	defer a.close()
	fmt.Fprintln(out, "ok  configuration, certificates and keys")
	if err := a.store.Ping(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "ok  store")
	checked := map[string]bool{}
	for page := (gateway.Page{Size: 100}); ; {
		registries, next, err := a.store.Registries(ctx, s.Project, s.Location, page)
		if err != nil {
			return err
		}
		for _, r := range registries {
			for _, topic := range topics(r) {
				if checked[topic] {
					continue
				}
				checked[topic] = true
				if err := a.publisher.Check(ctx, topic); err != nil {
					return fmt.Errorf("%s: %w", r.Key, err)
				}
				fmt.Fprintln(out, "ok  topic", topic)
			}
		}
		if page.Token = next; next == "" {
			return nil
		}
	}
}

func topics(r *gateway.Registry) (topics []string) {
	for _, route := range r.Routes {
		topics = append(topics, route.Topic)
	}
	if r.StateTopic != "" {
		topics = append(topics, r.StateTopic)
	}
	return topics
}
