package agentd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"go.uber.org/zap"

	"iotbridge/device"
	"iotbridge/device/mqtt"
)

// Doctor is the command that looks for what keeps readings from arriving. It changes
// nothing on this machine.
type Doctor struct {
	Settings `embed:""`
	JSON     bool `cli:"" env:"-" name:"json" help:"Print JSON, one object a line."`
}

// Finding is what one examination found.
type Finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, FAIL or skip
	Detail string `json:"detail"` // what is well; or the cause and its cure
}

// Results of an examination.
const (
	well    = "ok"
	ill     = "FAIL"
	skipped = "skip" // another one, which failed, comes first
)

// examination is one look; what it needs must have been well.
type examination struct {
	check string
	needs []string
	look  func(context.Context) (detail string, err error)
}

// Run looks at everything, and is an error when anything is at fault.
func (d *Doctor) Run(ctx context.Context, c *ConfigFile, out io.Writer) error {
	d.config = c.Config
	faults := 0
	for f := range d.examine(ctx, newClock()) {
		if f.Result == ill {
			faults++
		}
		if d.JSON {
			if err := json.NewEncoder(out).Encode(f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%-4s  %-13s  %s\n", f.Result, f.Check, f.Detail)
	}
	if faults > 0 {
		return fmt.Errorf("%d of the lines above are faults", faults)
	}
	return ctx.Err()
}

// examine makes one examination after the other, cheap and near things first.
func (d *Doctor) examine(ctx context.Context, clock device.Clock) func(yield func(Finding) bool) {
	return func(yield func(Finding) bool) {
		var good []string
		for _, e := range d.examinations(clock) {
			f := Finding{Check: e.check, Result: skipped}
			for _, need := range e.needs {
				if f.Detail == "" && !slices.Contains(good, need) {
					f.Detail = "not before " + need + " is well"
				}
			}
			if f.Detail == "" {
				detail, err := e.look(ctx)
				if f.Result, f.Detail = well, detail; err != nil {
					f.Result, f.Detail = ill, err.Error()
				} else {
					good = append(good, e.check)
				}
			}
			if !yield(f) || ctx.Err() != nil {
				return
			}
		}
	}
}

func (d *Doctor) examinations(clock device.Clock) []examination {
	var up *mqtt.Uplink
	err := d.adopt() // before anything asks who the device is
	all := []examination{
		{"configuration", nil, func(context.Context) (string, error) {
			return d.who() + ", from " + d.source(), d.Fault()
		}},
		{"key", nil, func(context.Context) (detail string, _ error) {
			if err == nil {
				detail, err = d.lookAtCredential(clock)
			}
			if err == nil {
				up, err = d.uplink(clock, zap.NewNop())
			}
			if err != nil {
				return "", err
			}
			return up.Key.String() + detail, nil
		}},
		{"roots", nil, func(context.Context) (string, error) {
			roots, err := mqtt.LoadRoots(d.roots())
			return fmt.Sprintf("%d certificates in %s", len(roots), d.roots()), err
		}},
		{"clock", nil, func(context.Context) (string, error) { return lookAtClock(clock) }},
		{"spool", nil, func(context.Context) (string, error) { return d.lookAtSpool(clock) }},
		{"sensor", nil, d.lookAtSensor},
		{"dns", []string{"configuration", "key"}, func(ctx context.Context) (string, error) {
			at, err := up.Resolve(ctx)
			return fmt.Sprint(d.Host, " is ", at), err
		}},
		{"connection", []string{"dns"}, func(ctx context.Context) (string, error) {
			at, err := up.Reach(ctx)
			return fmt.Sprint(at), err
		}},
		{"tls", []string{"connection", "roots"}, func(ctx context.Context) (string, error) {
			peer, err := up.Handshake(ctx)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, the certificate ends %s", peer.Version, peer.Chain[0].NotAfter.Format(time.DateOnly)), nil
		}},
		{"token", []string{"tls", "clock"}, func(ctx context.Context) (string, error) { return d.lookAtToken(ctx, up, clock) }},
	}
	if d.ProvisionURL != "" {
		all = slices.Insert(all, 1, examination{"bootstrap", nil, func(context.Context) (string, error) { return d.lookAtBootstrap(clock) }})
	}
	return all
}

func lookAtClock(clock device.Clock) (string, error) {
	now := clock.Now().UTC().Format(time.DateTime) + " UTC"
	switch {
	case !clock.Plausible():
		return "", fmt.Errorf("it is %s here, before this program was built: readings wait until the time is known. Connect the machine to the network, and see that it asks for the time: timedatectl set-ntp true", now)
	case !synchronised():
		return now + ", not synchronised: if the gateway refuses the token, look here first (timedatectl)", nil
	}
	return now + ", synchronised", nil
}

func (d *Doctor) lookAtSensor(ctx context.Context) (string, error) {
	sensors, err := d.sensors()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	samples, err := sensors.Sample(ctx)
	detail := ""
	for i, s := range samples {
		if i > 0 {
			detail += ", "
		}
		if s.Probe != "" {
			detail += s.Probe + " "
		}
		detail += fmt.Sprintf("%.3f °C", s.Temperature)
	}
	if err == nil && detail == "" {
		err = errors.New("no probe was found: check the wiring")
	}
	return detail, err
}

// lookAtToken does not throw out an agent that is connected: a device is let in once.
func (d *Doctor) lookAtToken(ctx context.Context, up *mqtt.Uplink, clock device.Clock) (string, error) {
	if now, err := readState(d.dir(d.config), clock); err == nil && now != nil && now.Link == "sending" {
		return "the agent that runs is connected", nil
	}
	return "accepted", up.Accepted(ctx)
}
