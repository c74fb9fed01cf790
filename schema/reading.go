package schema

import (
	"strconv"
	"time"
)

// Reading is what a thermometer sends: the body of the table temperature.
type Reading struct {
	DeviceID    string // "" leaves the claim out
	Time        time.Time
	Temperature float64 // °C, finite
	ID          string  // the same each time the reading is sent; "" is none
}

// Append appends the reading's JSON to dst. The timestamp is epoch seconds, to the
// microsecond.
func (r *Reading) Append(dst []byte) []byte {
	dst = append(dst, '{')
	if r.DeviceID != "" {
		dst = append(dst, `"device_id":`...)
		dst = append(appendQuoted(dst, r.DeviceID), ',')
	}
	dst = append(dst, `"timestamp":`...)
	dst = appendSeconds(dst, r.Time.UnixMicro())
	dst = append(dst, `,"temperature":`...)
	dst = strconv.AppendFloat(dst, r.Temperature, 'f', -1, 64)
	if r.ID != "" {
		dst = append(dst, `,"reading_id":`...)
		dst = appendQuoted(dst, r.ID)
	}
	return append(dst, '}')
}

// appendSeconds appends µs as seconds, without a fraction's last zeros.
func appendSeconds(dst []byte, micros int64) []byte {
	if micros < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	dst = strconv.AppendInt(dst, micros/1e6, 10)
	fraction := micros % 1e6
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(1e5); fraction > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}
