package schema

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// oracle is the verdict on a body for the table temperature, by another hand: with
// jsontext, big numbers and no regard for speed. known is false where a number is
// too large for it.
type oracle struct {
	values  map[string]jsontext.Value // by unescaped name
	extra   []string
	reason  Reason
	micros  int64
	celsius float64
	known   bool
}

// oracleOf judges a body that is small enough and sent by device1.
func oracleOf(body []byte) (o oracle) {
	o.known, o.values = true, map[string]jsontext.Value{}
	o.reason = MalformedBody
	if v := jsontext.Value(body); !oracleReads(body) || v.Kind() != '{' {
		return o
	}
	ambiguous := false
	d := jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true))
	for d.ReadToken(); d.PeekKind() != '}'; {
		raw, _ := d.ReadValue()
		raw = raw.Clone()
		from := d.InputOffset() - int64(len(raw))
		value, _ := d.ReadValue()
		unquoted, _ := jsontext.AppendUnquote(nil, raw)
		name, taken := string(unquoted), ""
		for _, n := range []string{"device_id", "timestamp", "temperature", "reading_id"} {
			if strings.EqualFold(n, name) {
				taken = n
			}
		}
		_, twice := o.values[name]
		switch {
		case taken == "":
			o.extra = append(o.extra, string(body[from:d.InputOffset()]))
		case taken != name || twice:
			if taken != "device_id" {
				return o
			}
			ambiguous = true
		default:
			o.values[name] = value.Clone()
		}
	}
	o.reason = AmbiguousIdentity
	if !ambiguous {
		o.judge()
	}
	return o
}

func (o *oracle) judge() {
	if claim, ok := o.values["device_id"]; ok {
		said := string(claim)
		switch {
		case claim.Kind() == '"':
			unquoted, _ := jsontext.AppendUnquote(nil, claim)
			said = string(unquoted)
		case claim.Kind() != '0' || strings.ContainsAny(said, ".eE"):
			o.reason = WrongType
			return
		}
		if said != "device1" && said != "2600000000000001" {
			o.reason = DeviceMismatch
			return
		}
	}
	o.reason = ""
	for i, name := range []string{"timestamp", "temperature", "reading_id"} {
		v, ok := o.values[name]
		absent := !ok || v.Kind() == 'n'
		if absent && name != "reading_id" {
			o.reason = MissingField
			return
		}
		if absent {
			continue
		}
		if o.reason = []func(jsontext.Value) Reason{o.judgeTimestamp, o.judgeTemperature, o.judgeReadingID}[i](v); o.reason != "" {
			return
		}
	}
}

func (o *oracle) judgeTimestamp(v jsontext.Value) Reason {
	var ok bool
	switch v.Kind() {
	case '0':
		o.micros, ok, o.known = oracleEpoch(string(v), 6)
	case '"':
		said, _ := jsontext.AppendUnquote(nil, v)
		var form bool
		if o.micros, form = oracleRFC3339(string(said)); !form {
			return WrongType
		}
		ok = minMicros <= o.micros && o.micros <= maxMicros
	default:
		return WrongType
	}
	if !ok {
		return TimestampOutOfRange
	}
	return ""
}

func (o *oracle) judgeTemperature(v jsontext.Value) Reason {
	if v.Kind() != '0' {
		return WrongType
	}
	if _, exp, found := strings.Cut(strings.ToLower(string(v)), "e"); found && len(strings.TrimLeft(exp, "+-0")) > 3 {
		o.known = false
		return ""
	}
	r, _ := new(big.Rat).SetString(string(v))
	o.celsius, _ = r.Float64()
	if o.celsius < -55 || o.celsius > 125 {
		return ValueOutOfRange
	}
	return ""
}

func (o *oracle) judgeReadingID(v jsontext.Value) Reason {
	if v.Kind() != '"' {
		return WrongType
	}
	if said, _ := jsontext.AppendUnquote(nil, v); len(said) > 128 {
		return ValueOutOfRange
	}
	return ""
}

// Verdict and row are what the oracle says, on any bytes; the quarantine takes them all.
func FuzzAppend(f *testing.F) {
	for _, body := range []string{
		string(reading().Data), `{"device_id":"device2","timestamp":1,"temperature":1}`, `{"device_id":2600000000000001,"timestamp":"2023-11-14T22:13:20Z","temperature":-0}`,
		`{"timestamp":1e999,"temperature":1}`, `{"timestamp":1,"temperature":1e999}`, `{"timestamp":1,"temperature":125.1,"reading_id":"a"}`,
		`{"timestamp":1,"timestamp":1,"temperature":1}`, `{"device_id":"device1","device\u005fid":"device1"}`, `{"a":{"b":[1,null]},"timestamp":1,"temperature":1,"":" "}`,
		`{"timestamp":1,"temperature":1,"reading_id":7}`, `{"time` + "\u017f" + `tamp":1}`, `{"a":"\ud800"}`, "\ufeff{}", `{"timestamp":null}`, ``, `[]`, `{"device_id":1.0}`,
	} {
		f.Add([]byte(body))
	}
	plan, quarantine := builtinPlan(f, "temperature"), builtinPlan(f, "quarantine")
	e := plan.NewEncoder(false)
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > MaxBody {
			return
		}
		m := message(string(body))
		row, why := judge(t, e, m)
		want := oracleOf(body)
		got := Reason("")
		if why != nil {
			got = why.Reason
			checkDetail(t, why.Detail)
			kept := decode(t, quarantine.table, quarantine.AppendRejected(nil, m, &Verdict{Rejection: why, Claim: plan.ClaimOf(body)}))
			if claim, ok := kept["claimed_device_id"].(string); kept["data"] != string(body) || ok && (len(claim) > 255 || !utf8.ValidString(claim)) {
				t.Errorf("%q is kept as %v", body, kept)
			}
		}
		if !want.known {
			return
		}
		if got != want.reason {
			t.Fatalf("%q: %q, want %q (%v)", body, got, want.reason, why)
		}
		if why == nil && (row["event_time"] != want.micros || row["temperature"] != want.celsius || row["device_id"] != "device1") {
			t.Errorf("%q became %v", body, row)
		}
		if extra, _ := row["extra"].(string); why == nil && (extra != "") != (want.extra != nil) ||
			extra != "" && (extra != "{"+strings.Join(want.extra, ",")+"}" || !oracleReads([]byte(extra))) {
			t.Errorf("%q: extra is %s, want %q", body, extra, want.extra)
		}
	})
}
