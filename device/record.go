package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// What a record may hold, in bytes.
const (
	maxBoot   = 64
	maxProbe  = 64
	maxExtra  = 8 << 10
	maxProbes = 64 // in a list of them

	maxRecord = 2 + 2*binary.MaxVarintLen64 + 3*(maxBoot+maxProbe) + 8 + maxExtra + binary.MaxVarintLen64
)

// recordVersion is the first byte of a record:
//
//	version, flags, wall time and time since boot in ms (varints), boot (length, bytes),
//	temperature (8 bytes, little-endian), probe, extra (length, bytes each)
const recordVersion = 1

// The flags.
const (
	flagPlausible = 1 << iota // the wall clock could be trusted
	flagSuspect
	flagStepped // the wall clock had jumped since the reading before
	flagsEnd
)

// record is a reading as the spool holds it.
type record struct {
	wall        int64 // ms since the epoch, as the clock showed it
	since       time.Duration
	boot        string
	plausible   bool
	stepped     bool
	suspect     bool
	probe       string
	temperature float64
	extra       []byte // members as cleanExtra leaves them
}

// errVersion: a record that another version of the program wrote.
var errVersion = errors.New("a record of another version")

func (r *record) append(dst []byte) []byte {
	var flags byte
	for _, f := range []struct {
		set bool
		bit byte
	}{{r.plausible, flagPlausible}, {r.suspect, flagSuspect}, {r.stepped, flagStepped}} {
		if f.set {
			flags |= f.bit
		}
	}
	dst = append(dst, recordVersion, flags)
	dst = binary.AppendVarint(dst, r.wall)
	dst = binary.AppendVarint(dst, r.since.Milliseconds())
	dst = appendText(dst, r.boot)
	dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(r.temperature))
	dst = appendText(dst, r.probe)
	return appendText(dst, r.extra)
}

func appendText[T string | []byte](dst []byte, text T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// decodeRecord takes a record apart. It takes only what append writes: a record that
// is taken has one form. The record's extra points into b.
func decodeRecord(b []byte) (record, error) {
	if len(b) == 0 || len(b) > maxRecord {
		return record{}, fmt.Errorf("a record of %d bytes", len(b))
	}
	if b[0] != recordVersion {
		return record{}, fmt.Errorf("%w: %d", errVersion, b[0])
	}
	d := decoder{rest: b[1:]}
	flags := d.bytes(1)
	var r record
	r.wall = d.varint()
	ms := d.varint()
	r.boot = string(d.text(maxBoot))
	bits := d.bytes(8)
	r.probe = string(d.text(maxProbe))
	r.extra = d.text(maxExtra)
	switch {
	case d.bad || len(d.rest) > 0:
		return record{}, errors.New("a record that is cut off, too long or malformed")
	case flags[0] >= flagsEnd:
		return record{}, errors.New("a record with unknown flags")
	case ms < 0 || ms > math.MaxInt64/int64(time.Millisecond):
		return record{}, errors.New("a record from before the boot")
	case r.wall < minWall || r.wall > maxWall:
		return record{}, errors.New("a record outside of all years")
	}
	r.since = time.Duration(ms) * time.Millisecond
	r.plausible, r.suspect, r.stepped = flags[0]&flagPlausible != 0, flags[0]&flagSuspect != 0, flags[0]&flagStepped != 0
	r.temperature = math.Float64frombits(binary.LittleEndian.Uint64(bits))
	if err := r.check(); err != nil {
		return record{}, err
	}
	return r, nil
}

// The years 1 to 9999, which are what a TIMESTAMP can hold.
const minWall, maxWall = -62135596800_000, 253402300799_999

// check says what a body could not carry.
func (r *record) check() error {
	switch {
	case math.IsNaN(r.temperature) || math.IsInf(r.temperature, 0):
		return errors.New("a temperature that is no number")
	case r.probe != "" && !shown(r.probe, maxProbe):
		return fmt.Errorf("a probe's name that is not of 1 to %d printable bytes", maxProbe)
	case r.boot != "" && !shown(r.boot, maxBoot):
		return errors.New("a boot's name that cannot be printed")
	case len(r.extra) == 0:
		r.extra = nil
		return nil
	}
	clean, left, err := cleanExtra(r.extra)
	if err != nil || len(left) > 0 || !bytes.Equal(clean, r.extra) {
		return errors.New("further members that are not as they are kept")
	}
	return nil
}

// decoder reads from the front of rest; once something was not there, bad stays.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) bytes(n int) []byte {
	if d.bad || n > len(d.rest) {
		d.bad = true
		return make([]byte, min(n, 8))
	}
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 || n != len(binary.AppendVarint(nil, v)) {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text(most int) []byte {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(most) || n != len(binary.AppendUvarint(nil, v)) {
		d.bad = true
		return nil
	}
	d.rest = d.rest[n:]
	return d.bytes(int(v))
}
