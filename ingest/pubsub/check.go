package pubsub

import (
	"context"
	"slices"

	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const consume = "pubsub.subscriptions.consume"

// Check reports whether the subscription exists and may be consumed, without
// taking a message. Its error is a *ingest.Held. Conn and Subscription are enough.
func (s *Source) Check(ctx context.Context) error {
	ctx = s.route(ctx)
	// Anyone may ask for his permissions; none are told of what does not exist.
	may, err := iampb.NewIAMPolicyClient(s.Conn).TestIamPermissions(ctx,
		&iampb.TestIamPermissionsRequest{Resource: s.Subscription, Permissions: []string{consume}})
	switch {
	case err == nil && slices.Contains(may.Permissions, consume):
		return nil
	case err != nil && status.Code(err) != codes.Unimplemented: // as in emulators
		return verdict(s.Subscription, err)
	}
	_, missing := pubsubpb.NewSubscriberClient(s.Conn).GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: s.Subscription})
	switch {
	case missing != nil:
		return verdict(s.Subscription, missing)
	case err == nil:
		return verdict(s.Subscription, status.Error(codes.PermissionDenied, ""))
	}
	return nil
}
