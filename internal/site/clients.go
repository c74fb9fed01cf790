package site

import (
	"context"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// OpenPubSub returns a client of the site's Pub/Sub.
func (s *Site) OpenPubSub(ctx context.Context) (*pubsub.Client, error) {
	var options []option.ClientOption
	if s.PubSub != "" {
		options = []option.ClientOption{
			option.WithEndpoint(s.PubSub), option.WithoutAuthentication(), option.WithTelemetryDisabled(),
			option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		}
	}
	return pubsub.NewClient(ctx, s.Project, options...)
}

// OpenBigQuery returns a client of the site's BigQuery, over REST.
func (s *Site) OpenBigQuery(ctx context.Context) (*bigquery.Client, error) {
	var options []option.ClientOption
	if s.BigQuery != "" {
		options = []option.ClientOption{option.WithEndpoint("http://" + s.BigQuery + "/bigquery/v2/"), option.WithoutAuthentication()}
	}
	return bigquery.NewClient(ctx, s.Project, options...)
}
