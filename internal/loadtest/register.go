package loadtest

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"

	"iotbridge/gateway"
)

const (
	registering = 16               // devices at a time
	callTime    = 10 * time.Second // for one
	removeTime  = time.Minute      // for all that was registered
)

// DeviceManager registers devices; the stock client does.
type DeviceManager interface {
	CreateDevice(ctx context.Context, r *iotpb.CreateDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error)
	DeleteDevice(ctx context.Context, r *iotpb.DeleteDeviceRequest, opts ...gax.CallOption) error
}

// Register registers the devices, or none of them. remove takes them out again, also
// when ctx has ended.
func Register(ctx context.Context, m DeviceManager, devices []Device) (remove func() error, err error) {
	made := make([]bool, len(devices))
	remove = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		return each(ctx, len(devices), func(ctx context.Context, i int) error {
			if !made[i] {
				return nil
			}
			return m.DeleteDevice(ctx, &iotpb.DeleteDeviceRequest{Name: devices[i].String()})
		})
	}
	err = each(ctx, len(devices), func(ctx context.Context, i int) error {
		d := &devices[i]
		_, err := m.CreateDevice(ctx, &iotpb.CreateDeviceRequest{Parent: d.RegistryKey.String(), Device: &iotpb.Device{
			Id: d.Device, Credentials: []*iotpb.DeviceCredential{{Credential: &iotpb.DeviceCredential_PublicKey{
				PublicKey: &iotpb.PublicKeyCredential{Format: iotpb.PublicKeyFormat(gateway.ES256PEM), Key: d.PublicKey},
			}}},
		}})
		if err != nil {
			return fmt.Errorf("registering %s: %w", d.DeviceKey, err)
		}
		made[i] = true
		return nil
	})
	if err != nil {
		_ = remove() // what keeps us from registering may keep us from this
		return nil, err
	}
	return remove, nil
}

// each does something n times, some at a time, until it fails or ctx ends. What has
// begun is finished, so that it is known whether it was done.
func each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ongoing, stop := errgroup.WithContext(ctx)
	ongoing.SetLimit(registering)
	for i := range n {
		if stop.Err() != nil {
			break
		}
		ongoing.Go(func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
			defer cancel()
			return do(ctx, i)
		})
	}
	if err := ongoing.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}
