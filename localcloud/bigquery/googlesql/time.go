package googlesql

import (
	"strings"
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

// ReadTime reads a TIMESTAMP or a DATE as SQL writes it, and returns it as it is stored:
// 2026-11-23, 2026-11-23 07:29:37.5, with T for the space, and with Z, UTC or an offset.
func ReadTime(typ Type, s string) (string, error) {
	clean := strings.TrimSpace(s)
	if len(clean) > 10 && (clean[10] == 'T' || clean[10] == 't') {
		clean = clean[:10] + " " + clean[11:]
	}
	clean = strings.TrimSuffix(strings.TrimSuffix(clean, " UTC"), " ")
	if n := len(clean); n > 0 && clean[n-1] == 'z' {
		clean = clean[:n-1] + "Z"
	}
	for _, layout := range []string{timestampLayout, "2006-1-2", "2006-1-2 15:4:5", "2006-1-2 15:4:5Z07:00", "2006-1-2 15:4:5-07", "2006-1-2 15:4", "2006-1-2Z07:00"} {
		t, err := time.Parse(layout, clean)
		if err != nil {
			continue
		}
		if typ == Date {
			return t.Format(dateLayout), nil
		}
		if n := t.UnixMicro(); n >= MinTimestamp && n <= MaxTimestamp {
			return FormatTimestamp(n), nil
		}
	}
	return "", wrong("Invalid %s: %.100q", typ, s)
}

// parseStored reads a stored TIMESTAMP or DATE.
func parseStored(typ Type, s string) (time.Time, error) {
	layout := timestampLayout
	if typ == Date {
		layout = dateLayout
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return t, wrong("%.100q is no stored %s", s, typ)
	}
	return t, nil
}

// store is a time as it is stored, if it is in range.
func store(typ Type, t time.Time) (string, error) {
	n := t.UnixMicro()
	if t.Year() < 1 || t.Year() > 9999 {
		return "", wrong("%s is out of range", typ)
	}
	if typ == Date {
		return t.UTC().Format(dateLayout), nil
	}
	return FormatTimestamp(n), nil
}
