//go:build unix

package pubsub_test

import (
	"context"
	"flag"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"golang.org/x/sync/errgroup"

	"iotbridge/localcloud/pubsub"
)

var backlog = flag.Int("backlog", 0, "BenchmarkPublishToAck: messages that wait already, e.g. 1000000")

// BenchmarkPublishToAck moves b.N messages from Publish (100 a request, four at a
// time) over one stream to Acknowledge, through gRPC on loopback, clients included.
func BenchmarkPublishToAck(b *testing.B) {
	c := start(b, newFile(b), pubsub.Options{})
	c.create(b)
	for range *backlog / 1000 {
		if _, err := c.pub.Publish(b.Context(), request(1000)); err != nil {
			b.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	stream, err := c.sub.StreamingPull(ctx)
	if err != nil {
		b.Fatal(err)
	}
	err = stream.Send(&pubsubpb.StreamingPullRequest{Subscription: subName, StreamAckDeadlineSeconds: 60, MaxOutstandingMessages: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	spent := cpu(b)
	b.ReportAllocs()
	b.ResetTimer()

	var publishers, acks errgroup.Group
	var left atomic.Int64
	left.Store(int64(b.N))
	for range 4 {
		publishers.Go(func() error {
			for {
				n := left.Add(-100) + 100
				if n <= 0 {
					return nil
				}
				if _, err := c.pub.Publish(ctx, request(int(min(n, 100)))); err != nil {
					return err
				}
			}
		})
	}
	acks.SetLimit(4)
	for got := 0; got < b.N; {
		resp, err := stream.Recv()
		if err != nil {
			b.Fatal(err)
		}
		got += len(resp.ReceivedMessages)
		acks.Go(func() error {
			_, err := c.sub.Acknowledge(ctx, &pubsubpb.AcknowledgeRequest{Subscription: subName, AckIds: ackIDs(resp.ReceivedMessages)})
			return err
		})
	}
	if err := publishers.Wait(); err != nil {
		b.Fatal(err)
	}
	if err := acks.Wait(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((cpu(b)-spent).Microseconds())/float64(b.N), "cpu-µs/message")
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse)/(1<<20), "heap-MiB")
}

func request(n int) *pubsubpb.PublishRequest {
	req := &pubsubpb.PublishRequest{Topic: topicName}
	for range n {
		req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{
			Data: []byte(`{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`),
			Attributes: map[string]string{
				"deviceId": "device1", "deviceNumId": "2800000000000001", "deviceRegistryId": "fleet",
				"deviceRegistryLocation": "europe-west1", "projectId": "p", "subFolder": "",
			},
		})
	}
	return req
}

// cpu is what the process has used, clients included: the figure to compare on a
// machine that others use too.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
