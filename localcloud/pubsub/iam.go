package pubsub

import (
	"context"
	"strings"

	"cloud.google.com/go/iam/apiv1/iampb"
)

// TestIamPermissions grants everything on what exists.
func (s *Server) TestIamPermissions(ctx context.Context, req *iampb.TestIamPermissionsRequest) (*iampb.TestIamPermissionsResponse, error) {
	return call(ctx, s, "TestIamPermissions", req, func() (*iampb.TestIamPermissionsResponse, error) {
		var err error
		if strings.Contains(req.Resource, "/topics/") {
			_, err = s.topic(req.Resource)
		} else {
			_, err = s.subscription(req.Resource)
		}
		if err != nil {
			return nil, err
		}
		return &iampb.TestIamPermissionsResponse{Permissions: req.Permissions}, nil
	})
}
