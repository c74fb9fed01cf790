package sensor

import (
	"errors"
	"fmt"
	"strings"

	"iotbridge/device"
)

// Class says what kind of fault a measurement had. The set is closed: it may count.
type Class string

// The classes, as doc.go tells them.
const (
	CRC     Class = "crc"
	PowerOn Class = "power_on"
	Range   Class = "range"
	Missing Class = "missing"
	Format  Class = "format"
	IO      Class = "io"
	Timeout Class = "timeout"
)

// Error is one probe's fault.
type Error struct {
	Probe string // "" when it is not about one
	Class Class
	Err   error
}

func (e *Error) Error() string {
	if e.Probe == "" {
		return e.Err.Error()
	}
	return e.Probe + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// FaultyProbe returns Probe.
func (e *Error) FaultyProbe() string { return e.Probe }

// FaultClass returns Class.
func (e *Error) FaultClass() string { return string(e.Class) }

var _ interface {
	device.ProbeError
	device.ClassedError
} = (*Error)(nil)

func fault(c Class, format string, args ...any) *Error {
	return &Error{Class: c, Err: fmt.Errorf(format, args...)}
}

// Faults is what one Sample met, a fault a probe. Its text names the first three.
type Faults []*Error

func (f Faults) Error() string {
	const shown = 3
	var b strings.Builder
	for i, e := range f {
		if i == shown {
			fmt.Fprintf(&b, "; and %d more", len(f)-shown)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(e.Error())
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see each of them.
func (f Faults) Unwrap() []error {
	out := make([]error, len(f))
	for i, e := range f {
		out[i] = e
	}
	return out
}

// err is nil when there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// faultsOf returns the faults of a Sample's error. One that no sensor of this package
// made counts as one of IO.
func faultsOf(err error) Faults {
	if err == nil {
		return nil
	}
	var all Faults
	if errors.As(err, &all) {
		return all
	}
	var one *Error
	if errors.As(err, &one) {
		return Faults{one}
	}
	return Faults{{Class: IO, Err: err}}
}
