package schema

import (
	"math"
	"strings"
	"testing"
	"time"
)

func micros(us int64) time.Time { return time.UnixMicro(us) }

func TestG6_Temperature(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	body := func(temperature string) *Message {
		return message(`{"timestamp":1,"temperature":` + temperature + `}`)
	}
	for temperature, want := range map[string]float64{
		"21.437": 21.437, "0": 0, "-0": 0, "-0.0": 0, "-0e5": 0, "1e-400": 0, "-1e-400": 0, "5e-324": 5e-324, "85.0": 85, "-55": -55, "125": 125,
		"1.25e2": 125, "12500e-2": 125, "0.1": 0.1, "9.007199254740995": 9.007199254740995, "-9.007199254741001": -9.007199254741001, "3.1415926535897932384626433": math.Pi, "1E1": 10, "1e+1": 10,
		"21." + strings.Repeat("0", 200_000): 21, "0." + strings.Repeat("0", 200_000) + "1": 0,
		"1" + strings.Repeat("0", 1000) + "e-1000": 1, "-" + strings.Repeat("9", 5000) + "e-4999": -10,
		"0." + strings.Repeat("0", 5000) + "21437" + strings.Repeat("0", 1000) + "e5002":            21.437,
		"1.00000000000000011102230246251565404236316680908203125" + strings.Repeat("0", 1000):       1, // half of an ulp: to even
		"1.00000000000000011102230246251565404236316680908203125" + strings.Repeat("0", 1000) + "1": 1.0000000000000002, "0e999999999999999999999": 0,
	} {
		row, why := judge(t, e, body(temperature))
		if why != nil || row["temperature"] != want || math.Signbit(row["temperature"].(float64)) != (want < 0) {
			t.Errorf("%.50s: %v, %v", temperature, row["temperature"], why)
		}
	}
	for temperature, want := range map[string]Reason{
		"NaN": MalformedBody, "Infinity": MalformedBody, "-Infinity": MalformedBody, "nan": MalformedBody, "+1": MalformedBody, ".5": MalformedBody,
		"1.": MalformedBody, "01": MalformedBody, "0x10": MalformedBody, "1_0": MalformedBody, "21,4": MalformedBody, "1e": MalformedBody, "--1": MalformedBody,
		"1e999": ValueOutOfRange, "-1e999": ValueOutOfRange, "1e309": ValueOutOfRange, "-55.0001": ValueOutOfRange, "125.0000001": ValueOutOfRange,
		"-127": ValueOutOfRange, "125.00000000000001421085": ValueOutOfRange, strings.Repeat("9", 200_000): ValueOutOfRange, "1e99999999999999999999": ValueOutOfRange,
		`"21.5"`: WrongType, "true": WrongType, "[21]": WrongType, "{}": WrongType, "null": MissingField,
	} {
		refuses(t, e, body(temperature), want)
	}
	refuses(t, e, message(`{"timestamp":1}`), MissingField)
}

func TestReadingID(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	body := func(id string) *Message {
		return message(`{"timestamp":1,"temperature":1,"reading_id":` + id + `}`)
	}
	for id, want := range map[string]any{
		`"r1"`: "r1", `""`: "", `null`: nil, `"\u00e4\/\b\n\u0000"`: "ä/\b\n\x00",
		`"` + strings.Repeat("x", 128) + `"`: strings.Repeat("x", 128), `"` + strings.Repeat(`\u00e4`, 64) + `"`: strings.Repeat("ä", 64),
	} {
		if row, why := judge(t, e, body(id)); why != nil || row["reading_id"] != want {
			t.Errorf("%s: %q, %v", id, row["reading_id"], why)
		}
	}
	refuses(t, e, body(`"`+strings.Repeat("x", 129)+`"`), ValueOutOfRange)
	refuses(t, e, body(`"`+strings.Repeat("ä", 65)+`"`), ValueOutOfRange)
	refuses(t, e, body(`"`+strings.Repeat(`\u0078`, 129)+`"`), ValueOutOfRange)
	for _, id := range []string{`1`, `true`, `[]`, `{}`} {
		refuses(t, e, body(id), WrongType)
	}
}

func TestEveryTypeOfMember(t *testing.T) {
	bound := func(v float64) *float64 { return &v }
	table := &Table{Name: "types", Unknown: Drop, Columns: []Column{
		{Name: "i", Type: Int64, From: "body.i"},
		{Name: "small", Type: Int64, From: "body.small", Min: bound(-3), Max: bound(3)},
		{Name: "f", Type: Float64, From: "body.f"},
		{Name: "b", Type: Bool, From: "body.b"},
		{Name: "j", Type: JSON, From: "body.j"},
		{Name: "ms", Type: Timestamp, From: "body.ms", Unit: "ms"},
		{Name: "us", Type: Timestamp, From: "body.us", Unit: "us"},
		{Name: "ns", Type: Timestamp, From: "body.ns", Unit: "ns"},
		{Name: "whole", Type: JSON, From: "body"},
		{Name: "attempt", Type: Int64, From: "message.attempt"},
		{Name: "attributes", Type: JSON, From: "message.attributes"},
		{Name: "data", Type: Bytes, From: "message.data"},
	}}
	for len(table.Columns) < 20 { // field numbers of two bytes
		table.Columns = append(table.Columns, Column{Name: strings.Repeat("x", len(table.Columns)), Type: String, From: "attribute.x"})
	}
	table.Columns = append(table.Columns, Column{Name: "s", Type: String, From: "body.s"})
	e := compiled(t, table).NewEncoder(false)
	for body, want := range map[string]map[string]any{
		`{"i":9223372036854775807,"small":-3}`: {"i": int64(math.MaxInt64), "small": int64(-3)},
		`{"i":-9223372036854775808,"small":3}`: {"i": int64(math.MinInt64), "small": int64(3)},
		`{"i":-0}`:                             {"i": int64(0)},
		`{"f":1.7976931348623157e308}`:         {"f": math.MaxFloat64},
		`{"b":true}`:                           {"b": int64(1)},
		`{"b":false}`:                          {"b": int64(0)},
		`{"j": {"a" : [1.50, "\u0061"]} }`:     {"j": `{"a" : [1.50, "\u0061"]}`},
		`{"j":"\u0061"}`:                       {"j": `"\u0061"`},
		`{"ms":1700000000123.4567}`:            {"ms": int64(1_700_000_000_123_456)},
		`{"us":1700000000123456.9}`:            {"us": int64(1_700_000_000_123_456)},
		`{"ns":1700000000123456789}`:           {"ns": int64(1_700_000_000_123_456)},
		`{"ns":-1999}`:                         {"ns": int64(-1)},
		`{"s":"a\nb"}`:                         {"s": "a\nb"},
		`{"i":null,"f":null,"b":null,"j":null,"ms":null,"s":null}`: {},
	} {
		row, why := judge(t, e, message(body))
		if why != nil {
			t.Errorf("%s: %v", body, why)
			continue
		}
		if row["whole"] != body || row["data"] != body || !strings.HasPrefix(row["attributes"].(string), `{"deviceId":"device1",`) {
			t.Errorf("%s: %v", body, row)
		}
		for _, name := range []string{"whole", "data", "attributes"} {
			delete(row, name)
		}
		if len(row) != len(want) {
			t.Errorf("%s: %v", body, row)
		}
		for name, v := range want {
			if row[name] != v {
				t.Errorf("%s: %v", body, row[name])
			}
		}
	}
	for body, want := range map[string]Reason{
		`{"i":9223372036854775808}`: ValueOutOfRange, `{"i":-9223372036854775809}`: ValueOutOfRange, `{"i":` + strings.Repeat("9", 1000) + `}`: ValueOutOfRange,
		`{"i":18446744073709551617}`: ValueOutOfRange, `{"i":-18446744073709551617}`: ValueOutOfRange,
		`{"i":1.0}`: WrongType, `{"i":1e2}`: WrongType, `{"i":"1"}`: WrongType, `{"small":4}`: ValueOutOfRange, `{"small":-4}`: ValueOutOfRange,
		`{"f":1.8e308}`: ValueOutOfRange, `{"b":1}`: WrongType, `{"b":"true"}`: WrongType, `{"ms":true}`: WrongType, `{"s":1}`: WrongType,
		`{"ms":253402300800000}`: TimestampOutOfRange, `{"ns":1e30}`: TimestampOutOfRange,
	} {
		refuses(t, e, message(body), want)
	}
	m := message(`{}`)
	m.Attempt = 7
	if row, _ := judge(t, e, m); row["attempt"] != int64(7) {
		t.Errorf("attempt is %v", row["attempt"])
	}
}
