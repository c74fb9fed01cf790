//go:build unix

package pubsub_test

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	client "cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"iotbridge/gateway"
	"iotbridge/gateway/pubsub"
)

// answering takes what is published, 20 ms later.
type answering struct {
	pubsubpb.UnimplementedPublisherServer
	ids []string
}

func (s *answering) Publish(_ context.Context, r *pubsubpb.PublishRequest) (*pubsubpb.PublishResponse, error) {
	<-time.After(20 * time.Millisecond)
	return &pubsubpb.PublishResponse{MessageIds: s.ids[:len(r.Messages)]}, nil
}

// BenchmarkPublish moves b.N messages of 70 bytes with the gateway's attributes to a
// server in this process that answers after 20 ms, and reports the CPU time a
// message costs, the server's part (generated code) included: by this package, by
// the generated client with batches made elsewhere (25 or 100 messages), and by the
// high-level client. -benchtime=50000x gives the figures of the package comment.
func BenchmarkPublish(b *testing.B) {
	for _, rate := range []int{5_000, 20_000} {
		b.Run(strconv.Itoa(rate), func(b *testing.B) {
			b.Run("nothing", func(b *testing.B) { paced(b, rate, func(done func(error)) { done(nil) }) })
			b.Run("ours", func(b *testing.B) {
				conn := serveAnswers(b)
				p := &pubsub.Publisher{Conn: conn}
				ctx, cancel := context.WithCancel(b.Context())
				ended := make(chan error, 1)
				go func() { ended <- p.Run(ctx) }()
				paced(b, rate, func(done func(error)) { p.Publish(topic, attributes, payload, done) })
				cancel()
				if err := <-ended; err != nil {
					b.Fatal(err)
				}
			})
			b.Run("generated", func(b *testing.B) {
				g := pubsubpb.NewPublisherClient(serveAnswers(b))
				batch := rate / 200
				var open []func(error)
				req := &pubsubpb.PublishRequest{Topic: topic}
				left := b.N
				paced(b, rate, func(done func(error)) {
					req.Messages = append(req.Messages, &pubsubpb.PubsubMessage{Data: payload, Attributes: asMap()})
					open = append(open, done)
					if left--; len(open) < batch && left > 0 {
						return
					}
					full, waiting := req, open
					req, open = &pubsubpb.PublishRequest{Topic: topic}, nil
					go func() {
						_, err := g.Publish(context.Background(), full)
						for _, done := range waiting {
							done(err)
						}
					}()
				})
			})
			b.Run("client", func(b *testing.B) {
				conn := serveAnswers(b)
				c, err := client.NewClient(b.Context(), "p", option.WithGRPCConn(conn))
				if err != nil {
					b.Fatal(err)
				}
				p := c.Publisher(topic)
				p.PublishSettings.DelayThreshold = 5 * time.Millisecond
				p.PublishSettings.CountThreshold = 1000
				type waiting struct {
					*client.PublishResult
					done func(error)
				}
				results := make(chan waiting, 100_000)
				go func() {
					for r := range results {
						_, err := r.Get(context.Background())
						r.done(err)
					}
				}()
				paced(b, rate, func(done func(error)) {
					results <- waiting{p.Publish(context.Background(), &client.Message{Data: payload, Attributes: asMap()}), done}
				})
				close(results)
				p.Stop()
			})
		})
	}
}

var (
	payload    = []byte(`{"device_id":"2577321808646966","timestamp":1700000000.123,"t":21.437}`)
	attributes = []gateway.Attribute{
		{Key: "deviceId", Value: "device1"},
		{Key: "deviceNumId", Value: "2577321808646966"},
		{Key: "deviceRegistryId", Value: "RaspberryPiDevices"},
		{Key: "deviceRegistryLocation", Value: "us-central1"},
		{Key: "projectId", Value: "project-1"},
		{Key: "subFolder", Value: "temperature"},
	}
)

func asMap() map[string]string {
	m := make(map[string]string, len(attributes))
	for _, a := range attributes {
		m[a.Key] = a.Value
	}
	return m
}

func serveAnswers(b *testing.B) *grpc.ClientConn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &answering{ids: make([]string, 1000)}
	for i := range s.ids {
		s.ids[i] = strconv.Itoa(1_000_000_000_000_000 + i)
	}
	g := grpc.NewServer()
	pubsubpb.RegisterPublisherServer(g, s)
	go func() { _ = g.Serve(l) }()
	b.Cleanup(g.Stop)
	conn, err := pubsub.Dial(b.Context(), l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return conn
}

// paced publishes b.N messages at a rate and waits until all are confirmed.
func paced(b *testing.B, rate int, publish func(done func(error))) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	all := make(chan struct{})
	done := func(err error) {
		if err != nil {
			b.Error(err)
		}
		if left.Add(-1) == 0 {
			close(all)
		}
	}
	before := cpu(b)
	b.ResetTimer()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for sent := 0; sent < b.N; <-tick.C {
		for due := min(int(time.Since(began).Seconds()*float64(rate)), b.N); sent < due; sent++ {
			publish(done)
		}
	}
	<-all
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/msg")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "msg/s")
}

func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
