package demo

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"github.com/googleapis/gax-go/v2"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/googleapi"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"iotbridge/device/mqtt"
	"iotbridge/internal/agentd"
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
	name string // as it calls itself: its number or its name
	key  *mqtt.Key
}

// Register registers every device of the fleet with the key in its folder, which is
// made there where there is none.
func (p *Publisher) Register(ctx context.Context, api Registrar) error {
	identities := make([]identity, p.Fleet.Size())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(calls)
	for index := range identities {
		group.Go(func() (err error) {
			identities[index], err = p.registerOne(ctx, api, index)
			return p.named(index, err)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.identities = identities
	return nil
}

func (p *Publisher) registerOne(ctx context.Context, api Registrar, index int) (identity, error) {
	key, err := keyIn(p.folder(index))
	if err != nil {
		return identity{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return identity{}, err
	}
	name := p.Fleet.Name(index)
	d := &iotpb.Device{Id: name, Credentials: []*iotpb.DeviceCredential{{Credential: &iotpb.DeviceCredential_PublicKey{PublicKey: &iotpb.PublicKeyCredential{
		Format: iotpb.PublicKeyFormat_ES256_PEM, Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}}}}}
	made, err := api.CreateDevice(ctx, &iotpb.CreateDeviceRequest{Parent: p.Registry, Device: d})
	if AlreadyThere(err) {
		d.Id, d.Name = "", p.Registry+"/devices/"+name
		made, err = api.UpdateDevice(ctx, &iotpb.UpdateDeviceRequest{Device: d, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"credentials"}}})
	}
	if index%2 == 0 { // the seed's devices know their number only
		name = strconv.FormatUint(made.GetNumId(), 10)
	}
	return identity{name, key}, err
}

// keyFile has a device's private key, in its folder.
const keyFile = "ec_private.pem"

// keyIn is the key in a device's folder, made as its owner would.
func keyIn(folder string) (*mqtt.Key, error) {
	file := filepath.Join(folder, keyFile)
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		keygen := agentd.Keygen{Identity: agentd.Identity{PrivateKey: file}}
		if err := keygen.Run(&agentd.ConfigFile{}, io.Discard); err != nil {
			return nil, err
		}
	}
	return mqtt.LoadKey(file)
}

// AlreadyThere says whether the API refused to make something because it is there.
func AlreadyThere(err error) bool {
	var refused *googleapi.Error
	return errors.As(err, &refused) && refused.Code == http.StatusConflict
}
