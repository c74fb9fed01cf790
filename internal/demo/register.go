package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// calls is how many devices are registered at once.
const calls = 8

// Registrar registers devices.
type Registrar interface {
	CreateDevice(ctx context.Context, req *iotpb.CreateDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error)
	UpdateDevice(ctx context.Context, req *iotpb.UpdateDeviceRequest, opts ...gax.CallOption) (*iotpb.Device, error)
}

// identity is what a device has of its registration.
type identity struct {
	number uint64
	key    *ecdsa.PrivateKey
}

// register gives every device of the fleet a key of its own, new each time. One that is
// registered already, by an earlier run, gets it in the place of the one it had.
func (f *Fleet) register(ctx context.Context, api Registrar, registry string) ([]identity, error) {
	identities := make([]identity, f.Size())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(calls)
	for i := range identities {
		group.Go(func() (err error) {
			if identities[i], err = registerOne(ctx, api, registry, name(i)); err != nil {
				err = fmt.Errorf("device %s: %w", name(i), err)
			}
			return err
		})
	}
	return identities, group.Wait()
}

func registerOne(ctx context.Context, api Registrar, registry, id string) (identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return identity{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return identity{}, err
	}
	d := &iotpb.Device{Id: id, Credentials: []*iotpb.DeviceCredential{{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{
		Format: iotpb.PublicKeyFormat_ES256_PEM, Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}}}}}
	made, err := api.CreateDevice(ctx, &iotpb.CreateDeviceRequest{Parent: registry, Device: d})
	if AlreadyThere(err) {
		d.Id, d.Name = "", registry+"/devices/"+id
		made, err = api.UpdateDevice(ctx, &iotpb.UpdateDeviceRequest{Device: d, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"credentials"}}})
	}
	return identity{made.GetNumId(), key}, err
}

// AlreadyThere says whether the API refused to make something because it is there.
func AlreadyThere(err error) bool {
	var refused *googleapi.Error
	return errors.As(err, &refused) && refused.Code == http.StatusConflict
}
