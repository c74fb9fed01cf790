package pubsub

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/ingest"
)

// door is the part of the service that Check asks.
type door struct {
	pubsubpb.UnimplementedSubscriberServer
	iampb.UnimplementedIAMPolicyServer
	iam, get error
	granted  []string
}

func (d *door) TestIamPermissions(_ context.Context, r *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	if r.Resource != subscription {
		return nil, status.Error(codes.InvalidArgument, r.Resource)
	}
	return &iampb.TestIamPermissionsResponse{Permissions: d.granted}, d.iam
}

func (d *door) GetSubscription(_ context.Context, r *pubsubpb.GetSubscriptionRequest) (*pubsubpb.Subscription, error) {
	return &pubsubpb.Subscription{Name: r.Subscription}, d.get
}

func TestCheck(t *testing.T) {
	noIAM := status.Error(codes.Unimplemented, "")
	missing, denied := status.Error(codes.NotFound, ""), status.Error(codes.PermissionDenied, "")
	for name, test := range map[string]struct {
		door
		cause ingest.Cause // none: well
		says  string
	}{
		"granted":               {door{granted: []string{consume}, get: denied}, "", ""},
		"not granted":           {door{}, ingest.Permission, consume},
		"missing":               {door{get: missing}, ingest.Missing, "does not exist"},
		"not even to be seen":   {door{get: denied}, ingest.Permission, consume},
		"stand-in":              {door{iam: noIAM}, "", ""},
		"missing in a stand-in": {door{iam: noIAM, get: missing}, ingest.Missing, "does not exist"},
		"no credentials":        {door{iam: status.Error(codes.Unauthenticated, "")}, ingest.Permission, "credentials"},
		"down":                  {door{iam: unavailable}, ingest.Unavailable, "try again"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := grpc.NewServer()
			pubsubpb.RegisterSubscriberServer(server, &test.door)
			iampb.RegisterIAMPolicyServer(server, &test.door)
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			defer func() { server.Stop(); <-served }()
			conn, err := Dial(t.Context(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()

			err = (&Source{Conn: conn, Subscription: subscription}).Check(t.Context())
			var held *ingest.Held
			switch {
			case test.cause == "" && err != nil:
				t.Error(err)
			case test.cause != "" && (!errors.As(err, &held) || held.Cause != test.cause || !strings.Contains(held.Detail, test.says) || !strings.Contains(held.Detail, subscription)):
				t.Errorf("says %v, want %s: … %s …", err, test.cause, test.says)
			}
		})
	}
}
