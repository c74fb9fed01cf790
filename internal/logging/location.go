package logging

import (
	"slices"
	"strconv"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// located adds the place in the source to warnings and worse.
type located struct{ zapcore.Core }

func (l located) With(fields []zap.Field) zapcore.Core { return located{l.Core.With(fields)} }

func (l located) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if l.Enabled(entry.Level) {
		return checked.AddCore(entry, l)
	}
	return checked
}

func (l located) Write(entry zapcore.Entry, fields []zap.Field) error {
	if entry.Level >= zapcore.WarnLevel && entry.Caller.Defined {
		fields = append(slices.Clip(fields), zap.Object("logging.googleapis.com/sourceLocation", location(entry.Caller)))
	}
	return l.Core.Write(entry, fields)
}

// location is LogEntrySourceLocation; its line is a string there.
type location zapcore.EntryCaller

func (l location) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("file", l.File)
	enc.AddString("line", strconv.Itoa(l.Line))
	enc.AddString("function", l.Function)
	return nil
}
