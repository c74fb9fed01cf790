package device

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

// states are those that the gateway has, oldest first.
func (b *bed) states() []state {
	b.t.Helper()
	var out []state
	for _, m := range b.gate.messages(topicState) {
		var s state
		if err := json.Unmarshal([]byte(m.body), &s); err != nil {
			b.t.Fatalf("%v in %s", err, m.body)
		}
		out = append(out, s)
	}
	return out
}

// answer sends a configuration and returns the state that answers it.
func (b *bed) answer(config string) state {
	b.t.Helper()
	before := len(b.states())
	b.gate.session().in.Config([]byte(config))
	b.until("answered", func() bool { return len(b.states()) > before })
	all := b.states()
	return all[len(all)-1]
}

func TestConfigurationIsAppliedAndAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		var level zapcore.Level
		b.agent.Settings.SetLogLevel = func(l zapcore.Level) { level = l }
		b.sensor.set(func(_ context.Context, n int) ([]Sample, error) {
			return []Sample{{Probe: "a", Temperature: temperature(n)}, {Probe: "b", Temperature: 1}}, nil
		})
		b.start()
		pass(1500 * time.Millisecond)
		s := b.answer(`{"version":7,"interval":"10s","sensors":["a"],"log_level":"debug","colour":"red"}`)
		if c := s.Config; c.Version != 7 || c.Applied.Interval != "10s" || !slices.Equal(c.Applied.Sensors, []string{"a"}) || c.Applied.LogLevel != "debug" ||
			len(c.Errors) > 0 || len(c.Clamped) > 0 || !slices.Equal(c.Ignored, []string{"colour"}) {
			t.Errorf("state: %+v", c)
		}
		if s.Agent.Version != "test" || s.Agent.Uptime < 1 || level != zapcore.DebugLevel || b.agent.Status().Config != 7 {
			t.Errorf("state: %+v, level %s", s.Agent, level)
		}
		measured, sent := b.sensor.count(), len(b.gate.readings())
		pass(100 * time.Second)
		if m, n := b.sensor.count()-measured, len(b.gate.readings())-sent; m < 9 || m > 11 || n != m {
			t.Errorf("%d measurements in 100 s, %d readings sent", m, n)
		}
		if s := b.answer(``); s.Config.Version != 0 || s.Config.Applied.Interval != "1s" || len(s.Config.Applied.Sensors) > 0 || level != zapcore.InfoLevel {
			t.Errorf("without wishes the owner's hold: %+v", s.Config)
		}
	})
}

func TestConfigurationThatComesAgainIsNotAnsweredAgain(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.gate.set(func(g *memGate) { g.greet = func(in Inbox) { in.Config([]byte(`{"interval":2}`)) } })
		b.start()
		pass(5 * time.Second)
		for range 5 {
			b.gate.session().wantRenewal()
			pass(10 * time.Second)
		}
		if n := len(b.states()); n != 1 || len(b.gate.connects()) != 6 {
			t.Errorf("%d states in %d sessions", n, len(b.gate.connects()))
		}
	})
}

func TestAStateThatWasNotConfirmedIsMadeAnew(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		lost := 0
		b.gate.set(func(g *memGate) {
			g.greet = func(in Inbox) { in.Config([]byte(`{"version":3}`)) }
			g.fate = func(topic, _ string) fate {
				if topic == topicState && lost < 3 {
					lost++
					return lostBefore
				}
				return confirmed
			}
		})
		b.start()
		b.until("answered", func() bool { return len(b.states()) == 1 })
		if s := b.states()[0]; s.Config.Version != 3 || s.Agent.LastError == "" {
			t.Errorf("%+v", s)
		}
	})
}

func TestD5_HostileConfigurationChangesNothingOrOnlyWithinLimits(t *testing.T) {
	refused := []string{
		`{`, `[]`, `null`, `"5s"`, `{"interval":"1s"} x`, "{\"interval\":\"\xff\"}", `{"interval":"2s","interval":"3s"}`,
		`{"interval":0}`, `{"interval":-5}`, `{"interval":"-1h"}`, `{"interval":"$(reboot)"}`, `{"interval":null}`, `{"interval":[5]}`, `{"interval":1e999}`,
		`{"interval":"9999999999h"}`, `{"version":1.5}`, `{"version":"7"}`, `{"version":-1}`, `{"version":99999999999999999999}`,
		`{"sensors":"a"}`, `{"sensors":[1]}`, `{"sensors":[""]}`, `{"sensors":["a\nb"]}`, `{"sensors":null}`, `{"sensors":["../../etc/passwd"]}`, `{"sensors":["c"]}`,
		`{"log_level":"fatal"}`, `{"log_level":"panic"}`, `{"log_level":7}`, `{"log_level":"verbose"}`,
		`{"version":9,"interval":"3s","log_level":"no"}`, // as a whole or not at all
		`{"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`, strings.Repeat(" ", maxConfig) + "{}",
		`{"sensors":[` + strings.Repeat(`"a",`, maxProbes) + `"a"]}`,
	}
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.Sensors = []string{"a", "b"}
		b.agent.Settings.SetLogLevel = func(zapcore.Level) {}
		b.start()
		pass(1500 * time.Millisecond)
		if s := b.answer(`{"version":5,"interval":"7s","sensors":["b"]}`); len(s.Config.Errors) > 0 {
			t.Fatalf("%+v", s)
		}
		for _, text := range refused {
			s := b.answer(text)
			if c := s.Config; len(c.Errors) != 1 || c.Errors[0] == "" || c.Version != 5 || c.Applied.Interval != "7s" || !slices.Equal(c.Applied.Sensors, []string{"b"}) {
				t.Errorf("%.60s: %+v", text, c)
			}
		}
		for text, want := range map[string]string{
			`{"interval":0.001}`: "1s", `{"interval":"1ns"}`: "1s", `{"interval":1e18}`: "24h0m0s", `{"interval":"2000h"}`: "24h0m0s", `{"interval":90}`: "1m30s",
			`{"Interval":"3s","exec":"reboot","path":"/etc/passwd"}`: "1s",
		} {
			if s := b.answer(text); s.Config.Applied.Interval != want || len(s.Config.Errors) > 0 {
				t.Errorf("%s: %+v", text, s.Config)
			}
		}
		if s := b.answer(`{"sensors":["a","c","d"]}`); !slices.Equal(s.Config.Applied.Sensors, []string{"a"}) || len(s.Config.Clamped) != 1 {
			t.Errorf("%+v", s.Config)
		}
	})
}

func TestD5_CommandsAreThreeWords(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.Interval = time.Minute
		shown := 0
		b.agent.Identify = func(context.Context) { shown++ }
		b.start()
		pass(1500 * time.Millisecond)
		in := b.gate.session().in
		in.Command("identify", []byte("; reboot"))
		in.Command("", []byte(" restart-sampling\n"))
		pass(3 * time.Second)
		if shown != 1 || b.sensor.count() != 2 || !b.sensor.times[1].Equal(b.sensor.times[0].Add(1500*time.Millisecond)) {
			t.Errorf("shown %d times, measured at %v", shown, b.sensor.times)
		}
		pass(30 * time.Second)
		for _, word := range []string{"reboot", "Identify", "identify;id", "\x00\x1b[2J", strings.Repeat("x", 1000)} {
			in.Command("", []byte(word))
			in.Command(word, nil)
			pass(2 * time.Second)
		}
		in.Command("report", nil)
		pass(2 * time.Second)
		all := b.states()
		s := all[len(all)-1]
		want := []string{"reboot", "Identify", "identify;id", "??[2J", strings.Repeat("x", 64)}
		if !slices.Equal(s.Commands.Refused, want) || s.Commands.Last != "report" || shown != 1 || b.sensor.count() != 2 {
			t.Errorf("commands: %+v; shown %d times, %d measurements", s.Commands, shown, b.sensor.count())
		}
	})
}

// One a second is looked at, and of a flood the last: else it would fill the log.
func TestD4_AFloodOfConfigurationsIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.start()
		pass(1500 * time.Millisecond)
		in := b.gate.session().in
		for i := range 2000 {
			in.Config(fmt.Appendf(nil, `{"interval":"wrong %d"}`, i))
			pass(time.Millisecond)
		}
		in.Config([]byte(`{"version":3,"interval":"9s"}`))
		pass(5 * time.Second)
		if n := b.said("a configuration from the cloud cannot be applied"); n < 1 || n > 3 {
			t.Errorf("%d lines in the log for 2 s of configurations", n)
		}
		if got := b.agent.Status(); got.Config != 3 || got.Interval != "9s" {
			t.Errorf("the last one is not in force: %+v", got)
		}
	})
}

func TestD4_AFloodFromTheGatewayIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		calls := 0
		b.agent.Identify = func(ctx context.Context) { calls++; <-ctx.Done() }
		b.start()
		pass(500 * time.Millisecond)
		in := b.gate.session().in
		large := make([]byte, 10<<20)
		for i := range 2000 {
			in.Command("identify", large)
			in.Command(fmt.Sprint("word", i), nil)
			in.Config(fmt.Appendf(nil, `{"version":%d}`, i))
			if i%100 == 0 {
				in.Config(large)
			}
			pass(10 * time.Millisecond)
		}
		pass(5 * time.Second)
		all := b.gate.messages(topicState)
		for i := range all[1:] {
			if apart := all[i+1].at.Sub(all[i].at); apart < time.Second {
				t.Fatalf("two states within %s", apart)
			}
		}
		last := b.states()[len(all)-1]
		if last.Config.Version != 1999 || last.Commands.TooMany < 3800 || len(last.Commands.Refused) > maxNamed || calls != 1 {
			t.Errorf("state: %+v %+v, identify ran %d times", last.Config, last.Commands, calls)
		}
		if got := len(b.gate.readings()); got != b.sensor.count() {
			t.Errorf("%d of %d readings arrived beside the flood", got, b.sensor.count())
		}
		for _, m := range all {
			if len(m.body) > 64<<10 {
				t.Errorf("a state of %d bytes", len(m.body))
			}
		}
	})
}

func TestD4_WhatIsTooLargeIsNotEvenKept(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		c := newControl(b.agent, nil, b.agent.Log)
		large := make([]byte, maxConfig+1)
		c.Config(large)
		c.Command("", large)
		if c.config != nil || c.tooLarge != len(large) || len(c.commands) != 1 || len(c.commands[0]) > maxCommandBytes {
			t.Errorf("kept %d bytes of configuration, commands %q", len(c.config), c.commands)
		}
	})
}

func TestMembersOfASensorDoNotOverrideOurs(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		judge := worker(t)
		b.agent.Settings.DeviceID = "device1"
		b.sensor.set(func(_ context.Context, n int) ([]Sample, error) {
			return []Sample{
				{Temperature: temperature(n), Extra: []byte(`"humidity":40,"Device_ID":"device2","timeſtamp":1`)},
				{Temperature: temperature(n), Extra: []byte(`"humidity":`)},
			}, nil
		})
		b.start()
		pass(5500 * time.Millisecond)
		for _, m := range b.gate.readings() {
			if err := judge([]byte(m.body)); err != nil || strings.Contains(m.body, "device2") {
				t.Errorf("%v: %s", err, m.body)
			}
		}
		if len(b.gate.readings()) != 12 || !strings.Contains(b.gate.readings()[0].body, `,"humidity":40}`) {
			t.Errorf("%+v", b.gate.readings())
		}
		if n := b.said("left out"); n != 3 {
			t.Errorf("said %d times, want once a member", n)
		}
	})
}

func TestRestartSamplingIsNotFasterThanTheOwnerAllows(t *testing.T) {
	bubble(t, func(t *testing.T, b *bed) {
		b.agent.Settings.Interval, b.agent.Settings.MinInterval = time.Hour, time.Minute
		b.start()
		pass(time.Second)
		for range 50 {
			b.gate.session().in.Command("restart-sampling", nil)
			pass(250 * time.Millisecond)
		}
		if n := b.sensor.count(); n != 1 {
			t.Errorf("%d measurements in the first seconds", n)
		}
		pass(time.Minute)
		if n := b.sensor.count(); n != 2 {
			t.Errorf("%d measurements after a minute", n)
		}
	})
}

func TestALogLevelThatIsNone(t *testing.T) {
	for _, text := range []string{`{"log_level":""}`, `{"log_level":null}`} {
		if _, err := parseConfig([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}
