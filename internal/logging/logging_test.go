package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"iotbridge/internal/config"
)

func logged(t *testing.T, level zapcore.Level, write func(*zap.Logger)) []map[string]any {
	t.Helper()
	var out bytes.Buffer
	write(zap.New(core(zapcore.AddSync(&out), level, false), zap.AddCaller()))
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

func TestLinesCarryCloudLoggingsKeys(t *testing.T) {
	lines := logged(t, zapcore.DebugLevel, func(log *zap.Logger) {
		log = log.With(zap.String("table", "p.d.t"))
		log.Debug("a")
		log.Info("b", zap.Duration("took", 1500*time.Millisecond))
		log.Warn("c")
		log.Error("d", zap.Error(errors.New("cause")))
	})
	want := []string{"DEBUG", "INFO", "WARNING", "ERROR"}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i, line := range lines {
		if line["severity"] != want[i] || line["message"] != string(rune('a'+i)) || line["table"] != "p.d.t" {
			t.Errorf("line %d is %v", i, line)
		}
		if _, err := time.Parse(time.RFC3339Nano, line["time"].(string)); err != nil {
			t.Error(err)
		}
		place, ok := line["logging.googleapis.com/sourceLocation"].(map[string]any)
		if ok != (i >= 2) {
			t.Errorf("line %d has a place: %v", i, ok)
		}
		if ok && (!strings.HasSuffix(place["file"].(string), "logging_test.go") || place["line"] == "" || place["function"] == "") {
			t.Errorf("line %d is from %v", i, place)
		}
	}
	if lines[1]["took"] != "1.5s" || lines[3]["error"] != "cause" {
		t.Errorf("fields: %v, %v", lines[1], lines[3])
	}
}

func TestTheLevelIsTheLeastThatIsLogged(t *testing.T) {
	lines := logged(t, zapcore.WarnLevel, func(log *zap.Logger) {
		log.Info("no")
		log.Warn("yes")
	})
	if len(lines) != 1 || lines[0]["message"] != "yes" {
		t.Errorf("got %v", lines)
	}
}

func TestAFileGetsJSONUnlessToldOtherwise(t *testing.T) {
	for format, isJSON := range map[string]bool{"auto": true, "json": true, "console": false} {
		t.Run(format, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "log"))
			if err != nil {
				t.Fatal(err)
			}
			Flags{LogFormat: format}.Logger(f).Info("hello", zap.Int("n", 1))
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if json.Valid(text) != isJSON || !strings.Contains(string(text), "hello") {
				t.Errorf("got %s", text)
			}
		})
	}
}

func TestTheFlagsTakeTheLevelsByName(t *testing.T) {
	for _, c := range []struct {
		args []string
		want zapcore.Level
		ok   bool
	}{
		{nil, zapcore.InfoLevel, true},
		{[]string{"--log-level=debug"}, zapcore.DebugLevel, true},
		{[]string{"--log-level=warn"}, zapcore.WarnLevel, true},
		{[]string{"--log-level=loud"}, 0, false},
		{[]string{"--log-format=xml"}, 0, false},
	} {
		var cli struct{ Flags }
		_, err := config.Program{Name: "x", EnvPrefix: "X"}.Parse(&cli, c.args)
		if (err == nil) != c.ok || c.ok && cli.LogLevel != c.want {
			t.Errorf("%v: got %v, %v", c.args, cli.LogLevel, err)
		}
	}
}
