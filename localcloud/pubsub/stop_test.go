package pubsub_test

import (
	"context"
	"path/filepath"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/localcloud/pubsub"
)

// A stopping server ends the streams and pulls that wait, so that nobody has to be
// cut off, and keeps what it took before.
func TestStop(t *testing.T) {
	file := newFile(t)
	c := start(t, file, pubsub.Options{})
	c.create(t)
	c.publish(t, 0, 1)
	s := c.stream(t, &pubsubpb.StreamingPullRequest{StreamAckDeadlineSeconds: 60})
	if _, err := s.Recv(); err != nil { // it is open, and will find no more
		t.Fatal(err)
	}
	var waiting errgroup.Group
	waiting.Go(func() error {
		_, err := s.Recv()
		return err
	})
	c.halt()
	if err := waiting.Wait(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	c.stop()
	if n := start(t, file, pubsub.Options{}).server.Stats()[subName].Unacked; n != 1 {
		t.Errorf("%d messages are there again, want 1", n)
	}
}

// After Run nothing is taken, and nothing hangs.
func TestAfterRun(t *testing.T) {
	s := must[*pubsub.Server](t)(pubsub.Open(filepath.Join(t.TempDir(), "pubsub.db"), pubsub.Options{}))
	defer s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateTopic(within(t), &pubsubpb.Topic{Name: topicName})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a change after Run answers %v", err)
	}
}
