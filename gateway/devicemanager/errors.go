package devicemanager

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"iotbridge/gateway"
)

var kinds = []struct {
	is   error
	code codes.Code
}{
	{gateway.ErrNotFound, codes.NotFound},
	{gateway.ErrExists, codes.AlreadyExists},
	{gateway.ErrInvalid, codes.InvalidArgument},
	{gateway.ErrConflict, codes.FailedPrecondition},
	{gateway.ErrInUse, codes.FailedPrecondition},
	{gateway.ErrNotConnected, codes.FailedPrecondition},
	{gateway.ErrFull, codes.ResourceExhausted},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// answer is the error as callers see it. What is not theirs to know is only logged.
func answer(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return status.Error(k.code, strings.ToValidUTF8(err.Error(), "�"))
		}
	}
	return status.Error(codes.Unavailable, "the registry does not answer: try again, the gateway's log says why")
}

func invalid(field, reason string) error {
	return &gateway.InvalidError{Field: field, Reason: reason}
}
