package device

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxCommands     = 5 // a second; the rest is counted
	maxCommandBytes = 64
	statePause      = 1100 * time.Millisecond // one a second is allowed
	configPause     = time.Second             // between two configurations; of those that come meanwhile, the newest counts
)

// control is the Inbox: it applies what the cloud wishes, and says so through state.
// It has no way to run anything but three words.
type control struct {
	settings *Settings
	sampler  *sampler
	identify func(context.Context)
	board    *board
	version  string
	began    time.Time
	log      *zap.Logger
	due      chan struct{} // there may be a state to publish
	wake     chan struct{} // there is something in the inbox

	mu       sync.Mutex
	config   []byte // the newest that was not looked at
	tooLarge int    // its size, when it was not kept
	fresh    bool
	commands []string
	second   time.Time // in which so many commands came
	came     int
	outcome  outcome
	wanted   uint64 // counts reasons to publish a state
	sent     uint64 // wanted, when the one under way was made
	known    uint64 // wanted, when the last confirmed one was made
	underWay bool
	last     time.Time

	handled [sha256.Size]byte // the last configuration
	any     bool
}

// outcome is what became of the last configuration and of commands.
type outcome struct {
	applied  applied
	version  int64
	changed  []string
	unknown  []string
	err      string
	command  string
	refused  []string
	overflow uint64
}

func newControl(a *Agent, s *sampler, log *zap.Logger) *control {
	return &control{
		settings: &a.Settings, sampler: s, identify: a.Identify, board: &a.board, version: a.Version, began: time.Now(), log: log,
		due: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		outcome: outcome{applied: applied{a.Settings.Interval, a.Settings.Sensors, a.Settings.LogLevel}},
	}
}

// Config keeps the newest configuration for run.
func (c *control) Config(data []byte) {
	c.mu.Lock()
	c.config, c.tooLarge, c.fresh = nil, 0, true
	if len(data) > maxConfig {
		c.tooLarge = len(data)
	} else {
		c.config = bytes.Clone(data)
	}
	c.mu.Unlock()
	signal(c.wake)
}

// Command keeps a command for run, as long as they are not too many.
func (c *control) Command(subfolder string, data []byte) {
	word := subfolder
	if word == "" {
		word = string(data[:min(len(data), maxCommandBytes+1)])
	}
	word = strings.TrimSpace(word)
	if len(word) > maxCommandBytes {
		word = word[:maxCommandBytes]
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.second) >= time.Second {
		c.second, c.came = now, 0
	}
	if c.came++; c.came > maxCommands || len(c.commands) > maxCommands {
		c.outcome.overflow++
		c.wanted++
		signal(c.due)
		return
	}
	c.commands = append(c.commands, strings.Clone(word))
	signal(c.wake)
}

// run applies what comes, until ctx ends.
func (c *control) run(ctx context.Context) {
	var shows sync.WaitGroup
	defer shows.Wait()
	showing := make(chan struct{}, 1)
	var pause <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-pause:
			pause = nil
		}
		c.mu.Lock()
		data, tooLarge, fresh, commands := c.config, c.tooLarge, c.fresh, c.commands
		c.commands = nil
		if pause == nil {
			c.config, c.fresh = nil, false
		}
		c.mu.Unlock()
		if fresh && pause == nil {
			c.configure(data, tooLarge)
			pause = time.After(configPause)
		}
		for _, word := range commands {
			c.command(word, func() {
				select {
				case showing <- struct{}{}:
					shows.Go(func() {
						c.identify(ctx)
						<-showing
					})
				default: // it is being shown
				}
			})
		}
	}
}

// configure applies a configuration as a whole, or leaves the old one in force.
func (c *control) configure(data []byte, tooLarge int) {
	sum := sha256.Sum256(data)
	if c.any && tooLarge == 0 && sum == c.handled {
		return // it comes with each subscription
	}
	c.any, c.handled = tooLarge == 0, sum
	wish, err := parseConfig(data)
	if tooLarge > 0 {
		err = fmt.Errorf("a configuration of %d bytes, the most is %d", tooLarge, maxConfig)
	}
	var now applied
	var changed []string
	if err == nil {
		now, changed, err = wish.within(c.settings)
	}
	if err != nil {
		c.log.Warn("a configuration from the cloud cannot be applied: the old one stays", zap.String("error", brief(err)))
		c.tell(func(o *outcome) { o.err, o.changed, o.unknown = brief(err), nil, nil })
		return
	}
	c.tell(func(o *outcome) {
		o.applied, o.version, o.changed, o.unknown, o.err = now, wish.version, changed, wish.unknown, ""
	})
	c.sampler.set(now.interval, now.sensors)
	if c.settings.SetLogLevel != nil {
		c.settings.SetLogLevel(now.level)
	}
	c.board.update(func(s *Status) { s.Config, s.Interval = wish.version, now.interval.String() })
	c.log.Info("configuration applied", zap.Int64("version", wish.version), zap.Stringer("interval", now.interval), zap.Int("probes named", len(now.sensors)))
}

func (c *control) command(word string, show func()) {
	known := true
	switch word {
	case "identify":
		c.log.Info("the cloud asks which machine this is")
		if c.identify != nil {
			show()
		}
	case "report":
	case "restart-sampling":
		c.sampler.again()
	default:
		known = false
	}
	c.tell(func(o *outcome) {
		if known {
			o.command = word
			return
		}
		if name := printable(word, maxCommandBytes); !slices.Contains(o.refused, name) {
			o.refused = append(o.refused, name)
			o.refused = o.refused[max(0, len(o.refused)-maxNamed):]
		}
	})
}

// tell notes an outcome and has it published.
func (c *control) tell(f func(*outcome)) {
	c.mu.Lock()
	f(&c.outcome)
	c.wanted++
	c.mu.Unlock()
	signal(c.due)
}
