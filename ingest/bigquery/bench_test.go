package bigquery

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// BenchmarkAppend includes a server in the same process that decodes and keeps nothing.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{500, 2500} {
		for _, parallel := range []int{1, 8} {
			b.Run(fmt.Sprintf("rows=%d/parallel=%d", n, parallel), func(b *testing.B) {
				sink, err := NewSink(testID, testTable(), Settings{Endpoint: Endpoint{Storage: yesServer(b)}})
				if err != nil {
					b.Fatal(err)
				}
				batch := rows(n)
				if err := sink.Append(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.SetParallelism(parallel)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := sink.Append(context.Background(), batch); err != nil {
							b.Error(err)
						}
					}
				})
				b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "rows/s")
				b.StopTimer()
				_ = sink.Close(context.Background())
			})
		}
	}
}

// yesServer confirms every append without a look at it.
func yesServer(b *testing.B) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	stream, _ := proto.Marshal(&storagepb.WriteStream{Location: "us"})
	yes, _ := proto.Marshal(confirmed())
	g := grpc.NewServer(grpc.ForceServerCodec(frames{}), grpc.MaxRecvMsgSize(16<<20),
		grpc.UnknownServiceHandler(func(_ any, call grpc.ServerStream) error {
			reply := &yes
			if method, _ := grpc.MethodFromServerStream(call); strings.HasSuffix(method, "GetWriteStream") {
				reply = &stream
			}
			for call.RecvMsg(nil) == nil {
				if err := call.SendMsg(reply); err != nil || reply == &stream {
					return err
				}
			}
			return nil
		}))
	go func() { _ = g.Serve(l) }()
	b.Cleanup(g.Stop)
	return l.Addr().String()
}

// frames is a codec that leaves messages as they are.
type frames struct{}

func (frames) Marshal(v any) ([]byte, error)   { return *v.(*[]byte), nil }
func (frames) Unmarshal(_ []byte, _ any) error { return nil }
func (frames) Name() string                    { return "proto" }
