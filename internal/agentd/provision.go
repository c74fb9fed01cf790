package agentd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"iotbridge/device/enroll"
	"iotbridge/internal/logging"
)

// Provision is the command that asks for the device's credential, as run does.
type Provision struct {
	Settings `embed:""`
	Once     bool `cli:"" env:"-" help:"Ask once; an answer that grants nothing is an error."`
	JSON     bool `cli:"" env:"-" name:"json" help:"Print JSON."`
}

// Run asks until it is granted. A device that has its credential is left as it is.
func (p *Provision) Run(ctx context.Context, c *ConfigFile, flags *logging.Flags, out io.Writer) error {
	p.config = c.Config
	if p.ProvisionURL == "" {
		return &SettingError{errors.New("PROVISION_URL is not set: say where the credential is asked for, as https://gateway.example.com:8443")}
	}
	if err := p.adopt(); err != nil {
		return err
	}
	if err := p.Fault(); err != nil {
		return &SettingError{err}
	}
	identity, err := p.identity(ctx, flags)
	if err != nil {
		return err
	}
	if p.JSON {
		return json.NewEncoder(out).Encode(struct {
			*enroll.Identity
			Name     string    `json:"name"`
			NotAfter time.Time `json:"notAfter"`
		}{identity, identity.Name(), identity.Certificate.NotAfter})
	}
	_, err = fmt.Fprintf(out, "This is %s until %s; the key is %s and stays there.\n", identity.Name(), identity.Certificate.NotAfter.Format(time.DateOnly), p.key())
	return err
}

func (p *Provision) identity(ctx context.Context, flags *logging.Flags) (*enroll.Identity, error) {
	if !p.awaits {
		identity, err := enroll.Load(p.key())
		if err == nil && identity == nil {
			err = fmt.Errorf("%s is a key that was not got by enrolling: move it away to ask for another", p.key())
		}
		return identity, err
	}
	log := flags.Logger(os.Stderr)
	defer log.Sync() //nolint:errcheck // a terminal cannot be synced
	protect(log)
	e := p.enroller(newClock(), log)
	if p.Once {
		return e.EnrollOnce(ctx)
	}
	return e.Enroll(ctx)
}
