package pubsub

import (
	"context"
	"time"

	"google.golang.org/api/option"
	gtransport "google.golang.org/api/transport/grpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Dial connects to Google with the default credentials or those of opts, or to a
// stand-in: emulator, host:port, in plaintext and without credentials.
func Dial(ctx context.Context, emulator string, opts ...option.ClientOption) (*grpc.ClientConn, error) {
	if emulator != "" {
		return grpc.NewClient("passthrough:///"+emulator, buffer, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	google := []option.ClientOption{
		option.WithEndpoint("pubsub.googleapis.com:443"),
		option.WithScopes("https://www.googleapis.com/auth/pubsub"),
		option.WithTelemetryDisabled(),
		// A connection that died without a word is found within 80 s.
		option.WithGRPCDialOption(grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 20 * time.Second})),
		option.WithGRPCDialOption(buffer),
	}
	return gtransport.Dial(ctx, append(google, opts...)...)
}

// buffer lets a batch leave in few writes.
var buffer = grpc.WithWriteBufferSize(256 << 10)
