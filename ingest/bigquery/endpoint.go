package bigquery

import (
	"time"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Endpoint is where the two services are: host:port of plaintext stand-ins that ask
// for no credentials, or "" for Google with the default credentials.
type Endpoint struct{ REST, Storage string }

func (e Endpoint) storage() []option.ClientOption {
	common := []option.ClientOption{option.WithGRPCConnectionPool(1), option.WithTelemetryDisabled()}
	if e.Storage != "" {
		return append(common, option.WithEndpoint(e.Storage), option.WithoutAuthentication(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	// The library sets no keepalive; without it a dead path is found only by what times out on it.
	return append(common, option.WithGRPCDialOption(grpc.WithKeepaliveParams(
		keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second})))
}

func (e Endpoint) rest() []option.ClientOption {
	if e.REST != "" {
		return []option.ClientOption{option.WithEndpoint("http://" + e.REST + "/bigquery/v2/"), option.WithoutAuthentication()}
	}
	return nil
}
