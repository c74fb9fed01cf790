package schema

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

func TestG7_Timestamp(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	body := func(timestamp string) *Message {
		return message(`{"timestamp":` + timestamp + `,"temperature":1}`)
	}
	zeros := strings.Repeat("0", 200_000)
	for timestamp, want := range map[string]int64{
		"0": 0, "-0": 0, "-0.0": 0, "0e999999999999": 0, "1": 1e6, "-1": -1e6, "1700000000": 1_700_000_000_000_000, "1700000000.123": 1_700_000_000_123_000,
		"1.7e9": 1_700_000_000_000_000, "17E+8": 1_700_000_000_000_000, "1700000000123e-3": 1_700_000_000_123_000, "0.0000017e15": 1_700_000_000_000_000,
		"1700000000.1234567": 1_700_000_000_123_456, "1700000000.9999999": 1_700_000_000_999_999, "-1.5000009": -1_500_000, "-0.0000009": 0,
		"0.000001": 1, "1e-6": 1, "1e-7": 0, "1e-999999999999999999999": 0, "1e-18446744073709551616": 0, "123456789012345678e-17": 1_234_567,
		"0." + zeros + "1e200007": 1_000_000_000_000, "1" + zeros + "e-200000": 1_000_000, "1." + zeros: 1_000_000,
		"253402300799.999999": maxMicros, "253402300799.9999999": maxMicros, "-62135596800": minMicros, "-62135596800.0000009": minMicros,
		`"2023-11-14T22:13:20Z"`: 1_700_000_000_000_000, `"2023-11-14t22:13:20z"`: 1_700_000_000_000_000, `"2023-11-14T22:13:20.123456789Z"`: 1_700_000_000_123_456,
		`"2023-11-14T22:13:20.9999999Z"`: 1_700_000_000_999_999, `"2023-11-14T22:13:20.1Z"`: 1_700_000_000_100_000, `"2023-11-14T23:43:20+01:30"`: 1_700_000_000_000_000,
		`"2023-11-14T00:00:00-23:59"`: 1_700_006_340_000_000, `"2023-11-14T22:13:20-00:00"`: 1_700_000_000_000_000, `"1969-12-31T23:59:59.9999999Z"`: -1,
		`"2024-02-29T00:00:00Z"`: 1_709_164_800_000_000, `"2023-11-14\u005422:13:20\u005A"`: 1_700_000_000_000_000,
		`"0001-01-01T00:00:00Z"`: minMicros, `"9999-12-31T23:59:59.999999999Z"`: maxMicros, `"0000-12-31T23:30:00-01:00"`: minMicros + 1_800_000_000,
		// Leap seconds count as the second after them.
		`"2016-12-31T23:59:60Z"`: 1_483_228_800_000_000, `"2016-12-31T15:59:60.5-08:00"`: 1_483_228_800_500_000, `"2015-07-01T09:29:60+09:30"`: 1_435_708_800_000_000,
	} {
		if row, why := judge(t, e, body(timestamp)); why != nil || row["event_time"] != want {
			t.Errorf("%.50s: %v, %v, want %d", timestamp, row["event_time"], why, want)
		}
	}
	for timestamp, want := range map[string]Reason{
		// Milliseconds, microseconds and nanoseconds taken for seconds; 2^63.
		"1700000000123": TimestampOutOfRange, "1700000000123456": TimestampOutOfRange, "1700000000123456789": TimestampOutOfRange,
		"9223372036854775807": TimestampOutOfRange, "9223372036854775808": TimestampOutOfRange, "1e999": TimestampOutOfRange, "-1e999": TimestampOutOfRange,
		"1e999999999999999999999": TimestampOutOfRange, "1e18446744073709551616": TimestampOutOfRange, "253402300800": TimestampOutOfRange, "-62135596800.000001": TimestampOutOfRange, "1" + zeros: TimestampOutOfRange,
		`"0000-12-31T23:59:59Z"`: TimestampOutOfRange, `"9999-12-31T23:59:59-00:01"`: TimestampOutOfRange, `"0001-01-01T00:00:00+00:01"`: TimestampOutOfRange,
		`"9999-12-31T23:59:60Z"`: TimestampOutOfRange,

		`"1700000000"`: WrongType, `""`: WrongType, `"now"`: WrongType, `"2023-11-14"`: WrongType, `"2023-11-14T22:13:20"`: WrongType, `"2023-11-14 22:13:20Z"`: WrongType,
		`"2023-11-14T22:13Z"`: WrongType, `"2023-11-14T22:13:20.Z"`: WrongType, `"2023-11-14T22:13:20,5Z"`: WrongType, `"2023-11-14T22:13:20+0100"`: WrongType,
		`"2023-11-14T22:13:20+01"`: WrongType, `"2023-11-14T22:13:20+24:00"`: WrongType, `"2023-11-14T22:13:20+01:60"`: WrongType, `"2023-11-14T24:00:00Z"`: WrongType,
		`"2023-11-14T22:60:00Z"`: WrongType, `"2023-11-14T22:13:61Z"`: WrongType, `"2023-11-14T22:13:60Z"`: WrongType, `"2023-11-30T22:59:60Z"`: WrongType,
		`"2023-11-14T23:59:60Z"`: WrongType, `"2016-12-31T23:59:60+01:00"`: WrongType,
		`"2023-02-29T00:00:00Z"`: WrongType, `"2023-13-01T00:00:00Z"`: WrongType, `"2023-00-10T00:00:00Z"`: WrongType, `"2023-01-00T00:00:00Z"`: WrongType, `"2023-04-31T00:00:00Z"`: WrongType,
		`"10000-01-01T00:00:00Z"`: WrongType, `"-001-01-01T00:00:00Z"`: WrongType, `"23-11-14T22:13:20Z"`: WrongType, `" 2023-11-14T22:13:20Z"`: WrongType,
		`"2023-11-14T22:13:20Z "`: WrongType, `"2023-11-14T22:13:20Zulu"`: WrongType, `"2023-11-14T22:13:20 Z"`: WrongType, `"２０23-11-14T22:13:20Z"`: WrongType,
		`"2023-11-14T22:13:20\u22120100"`: WrongType, `"2023-W46-2T22:13:20Z"`: WrongType, `"2023-318T22:13:20Z"`: WrongType,
		"true": WrongType, "[1700000000]": WrongType, `{"seconds":1}`: WrongType, "null": MissingField,
	} {
		refuses(t, e, body(timestamp), want)
	}
}

// Go's own parser takes a comma for the point, and knows no leap seconds.
func FuzzTimestamp(f *testing.F) {
	for _, text := range []string{
		"1700000000.123", "-62135596800.0000001", "1e-6", "17E+8", "0.0000017e15", "253402300799.9999999", "1e999999", "-0", "00", "123456789012345678e-17",
		"2023-11-14T22:13:20.123456789Z", "2024-02-29t00:00:00z", "9999-12-31T23:59:59-00:01", "2016-12-31T23:59:60Z", "2023-11-14T22:13:20,5Z", "2023-02-30T00:00:00+23:59",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if v := jsontext.Value(text); v.IsValid() && v.Kind() == '0' && skipSpace(v) == 0 && strings.TrimSpace(text) == text {
			for unit, scale := range units {
				micros, ok := epochMicros(v, scale)
				want, wantOK, known := oracleEpoch(text, scale)
				if known && (ok != wantOK || ok && micros != want) {
					t.Errorf("%s %s: %d, %v, want %d, %v", text, unit, micros, ok, want, wantOK)
				}
			}
		}
		micros, form, ok := rfc3339Micros([]byte(text))
		want, wantForm := oracleRFC3339(text)
		switch {
		case form != wantForm:
			t.Errorf("%q: %v, want %v", text, form, wantForm)
		case form && (micros != want || ok != (minMicros <= want && want <= maxMicros)):
			t.Errorf("%q: %d, %v, want %d", text, micros, ok, want)
		}
	})
}

// oracleEpoch computes with fractions. Large exponents are beyond it.
func oracleEpoch(text string, scale int) (micros int64, ok, known bool) {
	if _, exp, found := strings.Cut(strings.ToLower(text), "e"); found && len(strings.TrimLeft(exp, "+-0")) > 3 {
		return 0, false, false
	}
	r, _ := new(big.Rat).SetString(text)
	ten := new(big.Rat).SetFrac64(10, 1)
	for ; scale > 0; scale-- {
		r.Mul(r, ten)
	}
	for ; scale < 0; scale++ {
		r.Quo(r, ten)
	}
	i := new(big.Int).Quo(r.Num(), r.Denom()) // towards zero
	if !i.IsInt64() || i.Int64() < minMicros || i.Int64() > maxMicros {
		return 0, false, true
	}
	return i.Int64(), true, true
}

var leapSecond = regexp.MustCompile(`^(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:)60(.*)$`)

func oracleRFC3339(text string) (micros int64, ok bool) {
	if strings.Contains(text, ",") {
		return 0, false
	}
	if m := leapSecond.FindStringSubmatch(text); m != nil {
		micros, ok = oracleRFC3339(m[1] + "59" + m[2])
		begin := time.UnixMicro(micros + 1e6).UTC()
		return micros + 1e6, ok && begin.Day() == 1 && begin.Hour() == 0 && begin.Minute() == 0 && begin.Second() == 0
	}
	// Date, time and offset in this shape, which Go's parser does not always ask for.
	if ok, _ := regexp.MatchString(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$`, text); !ok {
		return 0, false
	}
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
	if err != nil {
		return 0, false
	}
	return at.UnixMicro(), true
}
