package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/term"

	"iotbridge/internal/demo"
	"iotbridge/internal/logging"
	"iotbridge/internal/site"
	"iotbridge/localcloud"
)

// screen is where a person, or a log, sees the local system at work. Standard output
// is the summary's alone.
type screen struct {
	out    *os.File
	log    *zap.Logger
	living bool // a line that is written over and over
}

func newScreen(out *os.File, flags logging.Flags) *screen {
	s := &screen{out: out, log: flags.Logger(out), living: term.IsTerminal(int(out.Fd()))}
	if s.living {
		s.log = s.log.WithOptions(zap.IncreaseLevel(zap.WarnLevel))
	}
	return s
}

// hints says how to look further. console is a link to it, or "".
func (s *screen) hints(dir string, at *site.Site, console string) {
	file := filepath.Join(dir, localcloud.BigQueryFile)
	if !s.living {
		s.log.Info("the local system serves", zap.String("site", filepath.Join(dir, site.FileName)), zap.String("tables", file),
			zap.String("pubsub", at.PubSub), zap.String("bigquery", at.BigQuery), zap.String("bigqueryStorage", at.BigQueryStorage), zap.String("ops", at.Ops), zap.String("mqtt", at.MQTT), zap.String("api", at.API))
		if console != "" {
			s.log.Info("the console", zap.String("link", console), zap.Duration("good_for", maxLinkLife))
		}
		return
	}
	if console != "" {
		fmt.Fprintf(s.out, "See the devices alive in a browser (this link is good once, for an hour; then: iotbridge console --local %s):\n  %s\n\n", dir, console)
	}
	fmt.Fprintf(s.out, `The local system serves. Look further, from another terminal:
  sqlite3 %s 'SELECT * FROM %s LIMIT 5'
  iotbridge devices list --local %s
  iotbridge quarantine list --local %s
  iotbridge messages pull --subscription temperature-view --local %s
Ctrl-C ends it with the books.

`, file, "`"+at.Table+"`", dir, dir, dir)
}

// show tells how it goes until ctx ends.
func (s *screen) show(ctx context.Context, books *demo.Books, registry prometheus.Gatherer) error {
	every := 5 * time.Second
	if s.living {
		every = 200 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if s.living {
				fmt.Fprintln(s.out)
			}
			return nil
		case <-tick.C:
		}
		p, err := readProgress(registry)
		if err != nil {
			return err
		}
		published := books.Published()
		if s.living {
			fmt.Fprintf(s.out, "\r\x1b[Kpublished %d   stored %d   quarantined %d   age p99 %v", published, p.stored, p.quarantined, p.age.Round(time.Millisecond))
		} else {
			s.log.Info("progress", zap.Int("published", published), zap.Int("stored", p.stored), zap.Int("quarantined", p.quarantined), zap.Duration("age_p99", p.age.Round(time.Millisecond)))
		}
	}
}
