package ingestd_test

import (
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"iotbridge/internal/ops"
)

func quiet() *zap.Logger { return zap.NewNop() }

func registry() *prometheus.Registry { return ops.NewRegistry() }

func retainAcked() *pubsubpb.UpdateSubscriptionRequest {
	return &pubsubpb.UpdateSubscriptionRequest{
		Subscription: &pubsubpb.Subscription{Name: subscription, RetainAckedMessages: true},
		UpdateMask:   &fieldmaskpb.FieldMask{Paths: []string{"retain_acked_messages"}},
	}
}
