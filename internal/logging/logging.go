// Package logging makes the program's one logger: JSON with the keys that Cloud
// Logging reads, or lines for a person where the output is a terminal.
// https://cloud.google.com/logging/docs/structured-logging
package logging

import (
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// Flags are the settings of logging; programs embed them.
type Flags struct {
	LogLevel  zapcore.Level `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	LogFormat string        `default:"auto" enum:"auto,json,console" help:"Form of a log line: ${enum}. Auto is console on a terminal."`
}

// Logger returns a logger that writes to out.
func (f Flags) Logger(out *os.File) *zap.Logger {
	console := f.LogFormat == "console" || f.LogFormat == "auto" && term.IsTerminal(int(out.Fd()))
	return zap.New(core(zapcore.Lock(out), f.LogLevel, console), zap.AddCaller())
}

func core(out zapcore.WriteSyncer, level zapcore.Level, console bool) zapcore.Core {
	if console {
		return zapcore.NewCore(zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
			TimeKey: "time", LevelKey: "level", MessageKey: "message", ConsoleSeparator: "  ",
			EncodeTime:     zapcore.TimeEncoderOfLayout("15:04:05.000"),
			EncodeLevel:    zapcore.CapitalLevelEncoder,
			EncodeDuration: zapcore.StringDurationEncoder,
		}), out, level)
	}
	return located{zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "severity", MessageKey: "message",
		EncodeTime:     zapcore.RFC3339NanoTimeEncoder,
		EncodeLevel:    severity,
		EncodeDuration: zapcore.StringDurationEncoder,
	}), out, level)}
}

// severity writes a level by Cloud Logging's name.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity
func severity(level zapcore.Level, enc zapcore.PrimitiveArrayEncoder) {
	names := map[zapcore.Level]string{
		zapcore.DebugLevel: "DEBUG", zapcore.InfoLevel: "INFO", zapcore.WarnLevel: "WARNING", zapcore.ErrorLevel: "ERROR",
		zapcore.DPanicLevel: "CRITICAL", zapcore.PanicLevel: "ALERT", zapcore.FatalLevel: "EMERGENCY",
	}
	name, ok := names[level]
	if !ok {
		name = "DEFAULT"
	}
	enc.AppendString(name)
}
