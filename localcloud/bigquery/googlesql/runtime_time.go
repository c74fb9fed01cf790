package googlesql

import (
	"database/sql/driver"
	"strings"
	"time"
)

// times are the functions on stored times; the first argument of most is their type.
var times = map[string]func([]driver.Value) (driver.Value, error){
	"trunc":          truncTime,
	"add":            addTime,
	"diff":           diffTime,
	"extract":        extractTime,
	"unix":           unixTime,
	"from_unix":      fromUnix,
	"timestamp_text": timestampText,
}

// steps are the units of a fixed length.
var steps = map[string]time.Duration{
	"MICROSECOND": time.Microsecond, "MILLISECOND": time.Millisecond, "SECOND": time.Second,
	"MINUTE": time.Minute, "HOUR": time.Hour, "DAY": 24 * time.Hour, "WEEK": 7 * 24 * time.Hour,
}

func truncTime(a []driver.Value) (driver.Value, error) {
	typ := Type(str(a[0]))
	t, err := parseStored(typ, str(a[1]))
	if err != nil {
		return nil, err
	}
	return store(typ, truncate(t, str(a[2])))
}

// truncate goes back to where a unit begins; a week begins on Sunday.
func truncate(t time.Time, unit string) time.Time {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	switch unit {
	case "DAY":
		return day
	case "WEEK":
		return day.AddDate(0, 0, -int(day.Weekday()))
	case "MONTH":
		return day.AddDate(0, 0, 1-day.Day())
	case "QUARTER":
		return time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	case "YEAR":
		return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	}
	step := steps[unit].Microseconds()
	n := t.UnixMicro()
	return time.UnixMicro(n - ((n%step)+step)%step).UTC()
}

func addTime(a []driver.Value) (driver.Value, error) {
	typ, n, unit := Type(str(a[0])), num(a[2]), str(a[3])
	t, err := parseStored(typ, str(a[1]))
	if err != nil {
		return nil, err
	}
	months := map[string]int64{"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
	const most = 10_000 * 366 * 24 * 3600 // seconds: longer than any two times lie apart
	if months > 0 {
		if typ != Date {
			return nil, wrong("a TIMESTAMP is not moved by %s", unit)
		}
		if n > most || n < -most {
			return nil, wrong("%s is out of range", typ)
		}
		return store(typ, addMonths(t, int(n*months)))
	}
	micros := steps[unit].Microseconds()
	if n > most*1_000_000/micros || n < -most*1_000_000/micros {
		return nil, wrong("%s is out of range", typ)
	}
	return store(typ, time.UnixMicro(t.UnixMicro()+n*micros).UTC())
}

// addMonths keeps the day, or takes the month's last one.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// diffTime counts whole units between timestamps, and boundaries between dates.
func diffTime(a []driver.Value) (driver.Value, error) {
	typ, unit := Type(str(a[0])), str(a[3])
	x, err := parseStored(typ, str(a[1]))
	if err != nil {
		return nil, err
	}
	y, err := parseStored(typ, str(a[2]))
	if err != nil {
		return nil, err
	}
	if typ == Date {
		x, y = truncate(x, unit), truncate(y, unit)
	}
	switch months := int64(x.Year()-y.Year())*12 + int64(x.Month()-y.Month()); {
	case steps[unit] > 0:
		return (x.UnixMicro() - y.UnixMicro()) / steps[unit].Microseconds(), nil
	case typ != Date:
		return nil, wrong("TIMESTAMP_DIFF does not support the %s date part", unit)
	case unit == "MONTH":
		return months, nil
	case unit == "QUARTER":
		return months / 3, nil
	default:
		return months / 12, nil
	}
}

func extractTime(a []driver.Value) (driver.Value, error) {
	t, err := parseStored(Type(str(a[0])), str(a[1]))
	if err != nil {
		return nil, err
	}
	n := map[string]int{
		"MICROSECOND": t.Nanosecond() / 1000, "MILLISECOND": t.Nanosecond() / 1_000_000, "SECOND": t.Second(),
		"MINUTE": t.Minute(), "HOUR": t.Hour(), "DAY": t.Day(), "DAYOFWEEK": int(t.Weekday()) + 1, "DAYOFYEAR": t.YearDay(),
		"MONTH": int(t.Month()), "QUARTER": (int(t.Month()) + 2) / 3, "YEAR": t.Year(),
	}[str(a[2])]
	return int64(n), nil
}

// unixTime and fromUnix: the second argument is how many µs one has.
func unixTime(a []driver.Value) (driver.Value, error) {
	t, err := parseStored(Timestamp, str(a[0]))
	n, step := t.UnixMicro(), num(a[1])
	return (n - ((n%step)+step)%step) / step, err
}

func fromUnix(a []driver.Value) (driver.Value, error) {
	n, step := num(a[0]), num(a[1])
	if n > MaxTimestamp/step || n < MinTimestamp/step {
		return nil, wrong("TIMESTAMP value is out of allowed range: %d", n)
	}
	return FormatTimestamp(n * step), nil
}

// timestampText is CAST to STRING: no more digits than needed, by threes.
func timestampText(a []driver.Value) (driver.Value, error) {
	s := str(a[0])
	s = strings.TrimSuffix(s, "000")
	s = strings.TrimSuffix(s, ".000")
	return s + "+00", nil
}
