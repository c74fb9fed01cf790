package pubsub_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"iotbridge/gateway"
	"iotbridge/gateway/pubsub"
)

// denying is a Pub/Sub that may be told to deny everything.
type denying struct {
	pubsubpb.UnimplementedPublisherServer
	iampb.UnimplementedIAMPolicyServer

	mu               sync.Mutex
	denied           bool
	published, asked int
}

func (d *denying) deny(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.denied = yes
}

func (d *denying) Publish(_ context.Context, r *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.published++
	if d.denied {
		return nil, status.Error(codes.PermissionDenied, "no")
	}
	return &pubsubpb.PublishResponse{MessageIds: make([]string, len(r.Messages))}, nil
}

func (d *denying) TestIamPermissions(_ context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	if d.denied {
		return &iampb.TestIamPermissionsResponse{}, nil
	}
	return &iampb.TestIamPermissionsResponse{Permissions: r.Permissions}, nil
}

func (d *denying) dial(t *testing.T) *grpc.ClientConn {
	l := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pubsubpb.RegisterPublisherServer(server, d)
	iampb.RegisterIAMPolicyServer(server, d)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := dialPipe(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	return conn
}

// A gateway that is not ready gets no devices, and so nothing to publish: it must
// find out by itself that it may be ready again.
func TestB30_AHeldTopicHealsWithoutTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service, holds, a := &denying{denied: true}, &gateway.Holds{}, newAnswers()
		p := &pubsub.Publisher{Conn: service.dial(t), Holds: holds}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}()

		began := time.Now()
		p.Publish(topic, nil, []byte("x"), a.done("x"))
		pass(time.Second)
		if held := strings.Join(holds.Reasons(), "\n"); !strings.Contains(held, "pubsub.topics.publish") {
			t.Errorf("held: %q", held)
		}
		if _, failed := a.wait(t, 1); len(failed) != 1 {
			t.Error("it was confirmed")
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it was tried for %v", took)
		}
		pass(time.Minute)
		if holds.Reasons() == nil || service.asked == 0 {
			t.Errorf("ready while it is denied, asked %d times", service.asked)
		}
		published := service.published
		service.deny(false)
		pass(20 * time.Second)
		if held := holds.Reasons(); held != nil {
			t.Errorf("held yet: %q", held)
		}
		if service.published != published {
			t.Error("something was published")
		}
	})
}

// pass lets so much time of the bubble go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
