package pubsub

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestIamPermissions grants everything on what exists and, as documented, nothing
// on what does not.
func (s *Server) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return call(ctx, s, "TestIamPermissions", req, func() (*iampb.TestIamPermissionsResponse, error) {
		var err error
		if strings.Contains(req.Resource, "/topics/") {
			_, err = s.topic(req.Resource)
		} else {
			_, err = s.subscription(req.Resource)
		}
		switch status.Code(err) {
		case codes.OK:
		case codes.NotFound:
			return &iampb.TestIamPermissionsResponse{}, nil
		default:
			return nil, err
		}
		return &iampb.TestIamPermissionsResponse{Permissions: req.Permissions}, nil
	})
}
