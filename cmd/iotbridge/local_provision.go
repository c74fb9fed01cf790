package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"

	"iotbridge/device/enroll"
	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
	"iotbridge/internal/demo"
	"iotbridge/internal/gatewayd"
	"iotbridge/internal/site"
)

const (
	localPKI     = "pki"   // the folder of provisioning's authorities, in the data directory
	localProfile = "local" // of the simulated boards
	localLife    = 10 * 365 * 24 * time.Hour
)

// enrolPatience is how long the fleet may take to be told yes or no.
const enrolPatience = 5 * time.Minute

var errNoAnswer = errors.New("the boards have got no answer that stays; the next run asks with the same keys")

var errNoProvisioning = errors.New("its gateway does not provision: start it with --provision")

// authorities makes, where they are not there, what provision init makes, and names it
// to the gateway and to the site. They are there whole or not at all.
func (c *localCommand) authorities(s *site.Site, settings *gatewayd.Settings) error {
	dir := filepath.Join(c.Data, localPKI)
	if !there(dir) {
		half := dir + ".new"
		if err := os.RemoveAll(half); err != nil { // of a run that was killed
			return err
		}
		made := provisionInit{Dir: half, Name: localProfile, AuthorityLifetime: localLife, BootstrapLifetime: localLife}
		if err := made.Run(io.Discard); err != nil {
			return err
		}
		if err := os.Rename(half, dir); err != nil {
			return err
		}
	}
	m := maker{dir: dir}
	devices, boards := m.files("device-ca"), m.files("bootstrap-"+localProfile)
	settings.ProvisionCA, settings.ProvisionCAKey = devices.Certificate, devices.Key
	s.Profile, s.BootstrapCert, s.BootstrapKey = localProfile, boards.Certificate, boards.Key
	return nil
}

// atDesk opens the site's provisioning for operators.
func atDesk(ctx context.Context, s *site.Site, do func(context.Context, *desk) error) error {
	client, err := s.OpenAPI()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := do(ctx, &desk{client: client, root: strings.TrimSuffix(s.API, "/") + office.Root}); err != nil {
		return fmt.Errorf("provisioning: %w", plain(err))
	}
	return nil
}

// makeProfile makes the boards' profile, where there is none: what an operator has
// made of it stays. All boards ask from one address, as in a factory.
func makeProfile(ctx context.Context, s *site.Site) error {
	var boards bootstrapFile
	if err := boards.read(s.BootstrapCert); err != nil {
		return err
	}
	boards.Name = "simulated boards"
	const atOnce = 10 * maxFleet
	wanted := office.Profile{Registry: s.Registry, Profile: provision.Profile{
		ID: s.Profile, Bootstrap: []provision.Bootstrap{boards.Bootstrap}, KeyMode: provision.KeyOnDevice, Lists: true,
		Rates: provision.Rates{Certificate: atOnce, Address: atOnce, Prefix: atOnce}, Lifetime: provision.Duration(localLife),
	}}
	return atDesk(ctx, s, func(ctx context.Context, d *desk) error {
		var kept office.Profile
		if err := d.call(ctx, http.MethodGet, in("profiles", s.Profile), nil, &kept); !missing(err) {
			return err
		}
		return d.call(ctx, http.MethodPut, in("profiles", s.Profile), &wanted, &kept)
	})
}

// allow lets the fleet's serials become devices.
func allow(ctx context.Context, s *site.Site, fleet *demo.Fleet) error {
	list := office.AppendEntryHeading(nil)
	for i := range fleet.Size() {
		list = office.AppendEntry(list, provision.Entry{Serial: fleet.Serial(i)})
	}
	return atDesk(ctx, s, func(ctx context.Context, d *desk) error {
		var taken office.Imported
		return d.send(ctx, http.MethodPost, in("profiles", s.Profile, "lists", string(provision.Allow)), inCSV, bytes.NewReader(list), &taken)
	})
}

// enrolment has the publisher's fleet provision itself over the site's device HTTPS.
func enrolment(ctx context.Context, s *site.Site, p *demo.Publisher) (*demo.Enrolment, error) {
	if s.Profile == "" {
		return nil, errNoProvisioning
	}
	if err := allow(ctx, s, p.Fleet); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, enrolPatience, errNoAnswer)
	defer cancel()
	asked, err := p.Enrol(ctx, &demo.Provisioning{
		URL: "https://" + s.DeviceHTTPS, Profile: s.Profile,
		Bootstrap: enroll.Bootstrap{Certificate: s.BootstrapCert, Key: s.BootstrapKey},
	})
	if err != nil && errors.Is(context.Cause(ctx), errNoAnswer) {
		err = fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return asked, err
}

// letIn says whether there is anything of the unit that was on no list: a claim, or a
// device.
func letIn(ctx context.Context, s *site.Site) (there bool, err error) {
	err = atDesk(ctx, s, func(ctx context.Context, d *desk) error {
		var claim office.Claim
		err := d.call(ctx, http.MethodGet, in("profiles", s.Profile, "claims", demo.Stranger), nil, &claim)
		if !missing(err) {
			there = err == nil
			return err
		}
		api, err := s.OpenDeviceManager(ctx)
		if err != nil {
			return err
		}
		defer api.Close()
		_, err = api.GetDevice(ctx, &iotpb.GetDeviceRequest{Name: "projects/" + s.Project + "/locations/" + s.Location + "/registries/" + s.Registry + "/devices/d-" + demo.Stranger})
		if missing(err) {
			return nil
		}
		there = err == nil
		return err
	})
	return there, err
}
