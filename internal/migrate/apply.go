package migrate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/protobuf/proto"
)

// calls is how many devices are created at once.
const calls = 8

// Registrar registers devices.
type Registrar interface {
	CreateDevice(ctx context.Context, req *iotpb.CreateDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error)
	GetDevice(ctx context.Context, req *iotpb.GetDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error)
}

// Apply creates in registry what steps say, and writes into them what became of it;
// done counts. When ctx ends, the steps that are left stay Create.
func Apply(ctx context.Context, api Registrar, registry string, steps []Step, done *atomic.Int64) {
	var group errgroup.Group
	group.SetLimit(calls)
	for i := range steps {
		if steps[i].Verdict != Create || ctx.Err() != nil {
			continue
		}
		group.Go(func() error {
			steps[i].apply(ctx, api, registry)
			done.Add(1)
			return nil
		})
	}
	_ = group.Wait() // each step has its own error
}

func (s *Step) apply(ctx context.Context, api Registrar, registry string) {
	given := proto.CloneOf(s.Device.Device)
	given.NumId = s.wish()
	made, err := api.CreateDevice(ctx, &iotpb.CreateDeviceRequest{Parent: registry, Device: given})
	if answered(err, http.StatusConflict) {
		there, gerr := api.GetDevice(ctx, &iotpb.GetDeviceRequest{Name: registry + "/devices/" + s.GetId()})
		switch {
		case gerr == nil: // since the plan was made, or by the run that was cut off
			s.compare(there)
			return
		case answered(gerr, http.StatusNotFound) && given.NumId != 0:
			s.Verdict, s.Why = Collides, fmt.Sprintf("its number %d is another device's, or was a deleted one's", given.NumId)
			return
		}
	}
	var refused *googleapi.Error
	switch {
	case err != nil && ctx.Err() != nil: // cut off; it may be there
	case errors.As(err, &refused):
		s.Verdict, s.Why = Failed, refused.Message
	case err != nil:
		s.Verdict, s.Why = Failed, err.Error()
	default:
		s.Verdict, s.Number = Created, made.GetNumId()
	}
}

func answered(err error, code int) bool {
	var refused *googleapi.Error
	return errors.As(err, &refused) && refused.Code == code
}
