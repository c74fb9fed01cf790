package pubsub

import (
	"container/list"
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/types/known/emptypb"

	"iotbridge/ingest"
)

// bytesCodec lets the benchmark's server send what is already encoded.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, _ := v.([]byte) // else empty
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (bytesCodec) Unmarshal(b mem.BufferSlice, v any) error {
	if n, ok := v.(*int); ok {
		*n = b.Len()
	}
	return nil
}

// benchServer sends the same frame as fast as the acks come in.
func benchServer(tb testing.TB, frame []byte, acked chan<- struct{}) *grpc.ClientConn {
	server := grpc.NewServer(grpc.ForceServerCodecV2(bytesCodec{}), grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(8<<20),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			method, _ := grpc.MethodFromServerStream(stream)
			var n int
			if err := stream.RecvMsg(&n); err != nil {
				return err
			}
			if method == methodPull {
				for stream.Context().Err() == nil {
					if err := stream.SendMsg(frame); err != nil {
						return err
					}
				}
				return nil
			}
			if method == methodAcknowledge {
				acked <- struct{}{}
			}
			return stream.SendMsg(&emptypb.Empty{})
		}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	conn, err := Dial(context.Background(), l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(); server.Stop(); <-served })
	return conn
}

// BenchmarkPull counts the CPU of both ends: the server's is part of it.
func BenchmarkPull(b *testing.B) {
	const n = 1000
	acks := make(chan struct{}, 1<<20)
	s := &Source{Conn: benchServer(b, wire(b, response(n)), acks), Subscription: subscription, Budget: ingest.NewBudget(50_000, 1<<30)}
	ctx, cancel := context.WithCancel(context.Background())
	var frames atomic.Int64
	enough := make(chan struct{})
	var once sync.Once
	all := make([]ingest.Receipt, n)
	b.ReportAllocs()
	b.ResetTimer()
	begin := cpu()
	done := make(chan error, 1)
	go func() {
		done <- s.Pull(ctx, func(d ingest.Delivery) {
			for i := range d.Messages() {
				all[i] = ingest.Receipt{Delivery: d, Index: int32(i)}
			}
			s.Ack(all[:d.Len()])
			if frames.Add(1) >= int64(b.N) {
				once.Do(func() { close(enough) })
			}
		})
	}()
	<-enough
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	perMessage(b, n, begin)
}

// TestOpenFramesWeighLittle holds 50,000 messages: their bytes and no more.
func TestOpenFramesWeighLittle(t *testing.T) {
	const n, frames = 1000, 50
	raw := wire(t, response(n))
	conn := benchServer(t, raw, make(chan struct{}, 1000))
	s := &Source{Conn: conn, Subscription: subscription, Budget: ingest.NewBudget(n*frames, 1<<30)}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan struct{}, frames+1)
	pulled := make(chan error, 1)
	go func() { pulled <- s.Pull(ctx, func(ingest.Delivery) { got <- struct{}{} }) }()
	for range frames {
		<-got
	}
	runtime.GC()
	runtime.GC() // pools are emptied at the second
	runtime.ReadMemStats(&after)
	grown := int(after.HeapAlloc) - int(before.HeapAlloc)
	t.Logf("%d B a message on the wire, %d in memory", len(raw)/n, grown/(n*frames))
	if limit := frames * len(raw) * 3 / 2; grown > limit {
		t.Errorf("the heap grew by %d MiB, limit %d", grown>>20, limit>>20)
	}
	cancel()
	<-pulled
	s.Close(context.Background())
}

func TestFrameIsGoneWithItsLastMessage(t *testing.T) {
	f := &frame{raw: wire(t, response(100))}
	if err := f.parse(); err != nil {
		t.Fatal(err)
	}
	s := &Source{open: list.New()}
	s.acks = newOutbox(&s.mu, acknowledge(subscription))
	s.track(f)
	all := receipts(f)
	s.Ack(all[:99])
	if m := f.Message(99); string(m.ID) != "4911384718212444" {
		t.Errorf("read %s", m.ID)
	}
	s.Ack(all)
	defer func() {
		if recover() == nil {
			t.Error("a settled frame can still be read")
		}
	}()
	f.Message(99)
}
