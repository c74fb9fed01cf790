package agentd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"

	"go.uber.org/zap"

	"iotbridge/device"
	"iotbridge/device/enroll"
	"iotbridge/device/mqtt"
)

// Enrolment is how a device without a key asks for a credential.
type Enrolment struct {
	ProvisionURL  string `placeholder:"https://HOST:8443" help:"Where a device without a key asks for its credential, and renews it; who it is, and HOST and PORT, may then be left out. Empty: PRIVATE_KEY must be there."`
	Profile       string `placeholder:"ID" help:"The provisioning profile of this device's batch."`
	BootstrapCert string `default:"bootstrap.pem" placeholder:"FILE" help:"The certificate that may ask, in PEM, in KEY_PATH."`
	BootstrapKey  string `default:"bootstrap.key" placeholder:"FILE" help:"Its key, in KEY_PATH."`
	ClaimSecret   string `placeholder:"FILE" help:"The secret of this unit, in KEY_PATH, when the profile wants one."`
	Serial        string `placeholder:"TEXT" help:"The board's serial number, where /proc/device-tree/serial-number is not there."`
}

// fault is what is wrong with them by themselves.
func (e *Enrolment) fault() error {
	if e.ProvisionURL == "" {
		return nil
	}
	_, err := enroll.ParseURL(e.ProvisionURL)
	switch {
	case err != nil:
		return fmt.Errorf("PROVISION_URL is %s: %w", clip(e.ProvisionURL), err)
	case e.Profile == "":
		return errors.New("PROFILE is not set: name the provisioning profile that PROVISION_URL is asked in")
	case !enroll.ValidProfile(e.Profile):
		return fmt.Errorf("PROFILE is %s: want its name (3 to 255 of A-Z a-z 0-9 - . _ ~ %% +, a letter first)", clip(e.Profile))
	case e.BootstrapCert == "" || e.BootstrapKey == "":
		return errors.New("BOOTSTRAP_CERT or BOOTSTRAP_KEY is empty: name the files of the certificate that may ask, and of its key")
	}
	if e.Serial != "" {
		if err := enroll.CheckSerial(e.Serial); err != nil {
			return fmt.Errorf("SERIAL: %w", err)
		}
	}
	return nil
}

// adopt takes over who the device is from the file of its key, where the settings leave
// it out. A file that is not there waits to be enrolled; one that is no key is told of by
// whoever wants the key.
func (s *Settings) adopt() error {
	identity, err := enroll.Load(s.key())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.awaits = s.ProvisionURL != ""
	case errors.Is(err, enroll.ErrDamaged):
		return err
	case identity != nil:
		s.fill(identity)
	}
	return nil
}

func (s *Settings) fill(i *enroll.Identity) {
	for _, one := range []struct {
		setting *string
		value   string
	}{{&s.ProjectID, i.Project}, {&s.Region, i.Location}, {&s.RegistryID, i.Registry}, {&s.DeviceID, i.Device}} {
		if *one.setting == "" {
			*one.setting = one.value
		}
	}
	if s.Host != "" {
		return
	}
	if i.Host != "" {
		s.Host = i.Host
		if i.Port > 0 {
			s.Port = uint16(i.Port)
		}
	} else if u, err := url.Parse(s.ProvisionURL); err == nil {
		s.Host = u.Hostname()
	}
}

// unfilled stands for what the gateway will say.
var unfilled = enroll.Identity{Project: "project", Location: "region", Registry: "registry", Device: "device", Host: "gateway", Port: 8883}

// filled are the settings as they are with an identity.
func (s *Settings) filled(i *enroll.Identity) *Settings {
	with := *s
	with.awaits = false
	with.fill(i)
	return &with
}

func (s *Settings) bootstrap() enroll.Bootstrap {
	return enroll.Bootstrap{Certificate: s.within(s.BootstrapCert), Key: s.within(s.BootstrapKey)}
}

// enroller asks for the device's credential, and keeps it good; nil without provisioning.
func (s *Settings) enroller(clock device.Clock, log *zap.Logger) *enroll.Enroller {
	if s.ProvisionURL == "" {
		return nil
	}
	return &enroll.Enroller{
		Key: s.key(), URL: s.ProvisionURL, Profile: s.Profile, Bootstrap: s.bootstrap(), ClaimSecret: s.within(s.ClaimSecret),
		Roots: func() ([]*x509.Certificate, error) { return mqtt.LoadRoots(s.roots()) },
		Unit:  enroll.Board{Serial: s.Serial}.Unit, Clock: clock, Log: log,
		Check: func(i *enroll.Identity) error { return s.filled(i).Fault() },
	}
}

// enrol returns the settings of a device that has its credential, when it has it.
func (s *Settings) enrol(ctx context.Context, e *enroll.Enroller) (*Settings, error) {
	if !s.awaits {
		return s, nil
	}
	identity, err := e.Enroll(ctx)
	if err != nil {
		return nil, err
	}
	return s.filled(identity), nil
}

// gateway is the address, for a person.
func (s *Settings) gateway() string {
	if s.awaits {
		return s.ProvisionURL
	}
	return s.address()
}

// who is the device, for a person.
func (s *Settings) who() string {
	if s.awaits {
		return "a device that is to be enrolled in " + strconv.Quote(s.Profile)
	}
	return s.client()
}
