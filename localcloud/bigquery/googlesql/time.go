package googlesql

import (
	"time"
)

// The range of a TIMESTAMP, in µs since the epoch: the years 1 to 9999.
const (
	MinTimestamp int64 = -62135596800000000
	MaxTimestamp int64 = 253402300799999999
)

const (
	timestampLayout = "2006-01-02 15:04:05.000000"
	dateLayout      = "2006-01-02"
)

// FormatTimestamp is a TIMESTAMP as it is stored: UTC, to the microsecond, always of
// the same width, so that it sorts.
func FormatTimestamp(micros int64) string {
	var b [26]byte
	t := time.UnixMicro(micros).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	digits(b[0:4], year)
	digits(b[5:7], int(month))
	digits(b[8:10], day)
	digits(b[11:13], hour)
	digits(b[14:16], minute)
	digits(b[17:19], second)
	digits(b[20:26], t.Nanosecond()/1000)
	b[4], b[7], b[10], b[13], b[16], b[19] = '-', '-', ' ', ':', ':', '.'
	return string(b[:])
}

func digits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

// ParseStoredTimestamp reads what FormatTimestamp wrote.
func ParseStoredTimestamp(s string) (micros int64, ok bool) {
	t, err := time.Parse(timestampLayout, s)
	return t.UnixMicro(), err == nil
}

// FormatDate is a DATE as it is stored, from days since the epoch.
func FormatDate(days int64) string {
	return time.Unix(days*86400, 0).UTC().Format(dateLayout)
}
