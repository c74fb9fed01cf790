package agentd

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/sync/errgroup"

	"iotbridge/device"
	"iotbridge/device/mqtt"
	"iotbridge/internal/buildinfo"
	"iotbridge/internal/logging"
)

// Start is the command that works.
type Start struct {
	Settings `embed:""`
	Check    bool `cli:"" env:"-" help:"Check the settings, the key and the root certificates, and exit. \"doctor\" looks further."`
}

// Run runs the agent until ctx ends.
func (s *Start) Run(ctx context.Context, c *ConfigFile, flags *logging.Flags, out io.Writer) error {
	s.config = c.Config
	if err := s.adopt(); err != nil {
		return err
	}
	if err := s.Fault(); err != nil {
		return &SettingError{err}
	}
	if s.Check {
		return s.check(out)
	}
	level := zap.NewAtomicLevelAt(flags.LogLevel)
	flags.LogLevel = zapcore.DebugLevel
	log := flags.Logger(os.Stderr).WithOptions(zap.IncreaseLevel(level))
	defer log.Sync() //nolint:errcheck // a terminal cannot be synced
	protect(log)
	log.Info("starting", zap.Stringer("build", buildinfo.Current()), zap.String("config", s.config),
		zap.String("gateway", s.gateway()), zap.String("device", s.who()))
	if err := Run(ctx, s.Settings, log, &level); err != nil {
		return err
	}
	log.Info("ended in order")
	return nil
}

// check looks at what is on this machine.
func (s *Start) check(out io.Writer) error {
	credential, err := s.credential()
	if err != nil {
		return err
	}
	roots, err := mqtt.LoadRoots(s.roots())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "ok  settings of %s for %s\nok  %s\nok  %d root certificates in %s\n", s.source(), s.who(), credential, len(roots), s.roots())
	return err
}

// credential is the key, or what one is asked for with.
func (s *Settings) credential() (string, error) {
	if s.awaits {
		_, err := s.bootstrap().Load()
		return "bootstrap certificate of " + s.bootstrap().Certificate, err
	}
	key, err := mqtt.LoadKey(s.key())
	if err != nil {
		return "", err
	}
	return key.String(), nil
}

// Run enrols, if that is needed, measures, keeps and sends until ctx ends; nil then, when
// all that it started has ended. An error is a wrong setting, a key or a certificate that
// is not to be used, or a spool that cannot be opened: of what fails later, nothing ends
// it. The cloud may change level, if there is one.
func Run(ctx context.Context, s Settings, log *zap.Logger, level *zap.AtomicLevel) error {
	if err := s.adopt(); err != nil {
		return err
	}
	if err := s.Fault(); err != nil {
		return err
	}
	if _, err := s.credential(); err != nil {
		return err
	}
	if _, err := mqtt.LoadRoots(s.roots()); err != nil {
		return err
	}
	clock := newClock()
	kept, err := s.openSpool(clock, log)
	if err != nil {
		return err
	}
	w := &work{settings: &s, clock: clock, spool: kept, enroller: s.enroller(clock, log), log: log, level: level, began: clock.Now()}
	news := &reporter{dir: s.dir(s.config), clock: clock, status: w.status, enrolment: w.enrolment}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.run(ctx) })
	g.Go(func() error { return kept.Run(ctx) })
	g.Go(func() error {
		news.Run(ctx, func(err error) { log.Warn("iotbridge-agent status will not know how this agent fares", zap.Error(err)) })
		return nil
	})
	err = g.Wait()
	if cerr := kept.Close(); cerr != nil {
		log.Warn("the spool was not closed in order", zap.Error(cerr))
	}
	return err
}

// core are the settings of the agent itself.
func (s *Settings) core(level *zap.AtomicLevel) device.Settings {
	c := device.DefaultSettings(s.DeviceID)
	c.Subfolder, c.Interval = s.Subfolder, s.Interval
	c.MinInterval, c.MaxInterval = min(s.MinInterval, s.Interval), max(s.MaxInterval, s.Interval)
	c.Window, c.BacklogRate = s.Window, s.BacklogRate
	c.GracePeriod = 4 * time.Second // systemd is told 5, and the spool wants to be closed
	if level != nil {
		c.LogLevel, c.SetLogLevel = level.Level(), level.SetLevel
	}
	return c
}

func (s *Settings) roots() string { return s.within(s.GoogleRootCert) }

// source is where the settings come from, for a person.
func (s *Settings) source() string {
	if s.config == "" {
		return "flags and variables"
	}
	return s.config
}
