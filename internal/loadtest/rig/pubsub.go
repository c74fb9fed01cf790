package rig

import (
	"context"
	"net"
	"strconv"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
)

// answerTime is how long Pub/Sub takes to confirm.
const answerTime = 20 * time.Millisecond

// publishers takes what is published, a while later, and keeps nothing.
type publishers struct {
	pubsubpb.UnimplementedPublisherServer
	ids []string
}

func (p *publishers) Publish(ctx context.Context, r *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-timer.C:
	}
	return &pubsubpb.PublishResponse{MessageIds: p.ids[:min(len(r.Messages), len(p.ids))]}, nil
}

func servePubSub(ctx context.Context, l net.Listener, ready func() error) error {
	const most = 1000 // messages a request (cloud.google.com/pubsub/quotas)
	p := &publishers{ids: make([]string, most)}
	for i := range p.ids {
		p.ids[i] = strconv.Itoa(1_000_000_000_000_000 + i)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(16 << 20))
	pubsubpb.RegisterPublisherServer(server, p)
	if err := ready(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(l)
}
