package schema

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// claiming is a reading whose claim is this JSON.
func claiming(claim string) *Message {
	return message(`{"device_id":` + claim + `,"timestamp":1,"temperature":1}`)
}

func TestG2_BodyClaimsAnotherDevice(t *testing.T) {
	plan := builtinPlan(t, "temperature")
	e := plan.NewEncoder(false)
	for claim, want := range map[string]Reason{
		`"device1"`: "", `"2600000000000001"`: "", `2600000000000001`: "", `"dev\u0069ce1"`: "", `"\u0064\u0065vice1"`: "",
		`"device2"`: DeviceMismatch, `"Device1"`: DeviceMismatch, `"device1 "`: DeviceMismatch, `" device1"`: DeviceMismatch, `""`: DeviceMismatch,
		`2600000000000002`: DeviceMismatch, `-2600000000000001`: DeviceMismatch, `"02600000000000001"`: DeviceMismatch,
		`"registry-1"`: DeviceMismatch, `"device1\u0000"`: DeviceMismatch, `0`: DeviceMismatch, `-0`: DeviceMismatch,
		`"` + strings.Repeat("d", 100_000) + `"`: DeviceMismatch, `26` + strings.Repeat("0", 100_000): DeviceMismatch,
	} {
		refuses(t, e, claiming(claim), want)
	}
	// An attribute that is there and empty is nobody's number.
	refuses(t, e, claiming(`""`).set(AttrDeviceNumID, ""), DeviceMismatch)
	m := claiming(`"2600000000000001"`)
	m.Attributes = m.Attributes[:1]
	refuses(t, e, m, DeviceMismatch)
	refuses(t, e, message(`{"timestamp":1,"temperature":1}`), "")
	refuses(t, plan.NewEncoder(true), message(`{"timestamp":1,"temperature":1}`), MissingField)
	refuses(t, plan.NewEncoder(true), message(`{"x":{"device_id":"device1"},"timestamp":1,"temperature":1}`), MissingField)
	// What lies deeper claims nothing.
	refuses(t, e, message(`{"x":{"device_id":"other","device_id":"other"},"timestamp":1,"temperature":1}`), "")
}

func TestG3_DuplicateIdentity(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	for _, name := range []string{`device_id`, `device\u005fid`, `DEVICE_ID`, `Device_Id`, `d\u0045vice_id`, `\u0064evice_id`} {
		for _, claim := range []string{`"device1"`, `"device2"`, `null`, `{}`} {
			refuses(t, e, message(`{"device_id":"device1","timestamp":1,"temperature":1,"`+name+`":`+claim+`}`), AmbiguousIdentity)
			refuses(t, e, message(`{"`+name+`":`+claim+`,"timestamp":1,"temperature":1,"device_id":"device1"}`), AmbiguousIdentity)
		}
	}
	refuses(t, e, message(`{"device\u005fid":"device1","timestamp":1,"temperature":1}`), "")
	refuses(t, e, message(`{"DEVICE_ID":"device1","timestamp":1,"temperature":1}`), AmbiguousIdentity)
	refuses(t, e, message(`{"device_id":"device1","device_id":"device1","timestamp":1,"temperature":1`), MalformedBody)

	// The members that columns take.
	for _, name := range []string{`timestamp`, `TIMESTAMP`, `timeſtamp`, `time\u017ftamp`, `TIMEſTAMP`, `temperature`, `Temperature`, `reading_id`} {
		refuses(t, e, message(`{"timestamp":1,"temperature":1,"reading_id":null,"`+name+`":1}`), MalformedBody)
	}
	refuses(t, e, message(`{"timeſtamp":1,"temperature":1}`), MalformedBody)
	refuses(t, e, message(`{"timestamp":1,"temperature":1,"times":1,"timestamp_":1,"":1,"tımestamp":1}`), "")

	table := &Table{Name: "kelvin", Unknown: Drop, Columns: []Column{{Name: "k", Type: Int64, From: "body.kelvin"}}}
	k := compiled(t, table).NewEncoder(false)
	refuses(t, k, message(`{"kelvin":1}`), "")
	refuses(t, k, message("{\"\u212aelvin\":1}"), MalformedBody)
}

func TestG4_LookAlikes(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	for _, claim := range []string{
		"devicе1" /* Cyrillic е */, "ｄevice1", "device１", "device\u200d1", "device1\u200b", "device1\u00a0", "device1\u202e", "\ufeffdevice1",
		"de\u0301vice1", "d\u00e9vice1", "DEVICE1", "device1\t", "devıce1",
	} {
		quoted := string(appendQuoted(nil, claim))
		refuses(t, e, claiming(quoted), DeviceMismatch)
	}
	// Composed and decomposed are two names, in a member's name too.
	refuses(t, e, message("{\"timesta\u0301mp\":1,\"timest\u00e1mp\":1,\"timestamp\":1,\"temperature\":1}"), "")
}

func TestG5_ClaimOfAnotherType(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	for _, claim := range []string{
		`null`, `true`, `false`, `[]`, `{}`, `["device1"]`, `{"device_id":"device1"}`, `1.0`, `1e0`, `2600000000000001.0`, `2600000000000001e0`, `0.5`,
	} {
		refuses(t, e, claiming(claim), WrongType)
	}
}

func TestClaimIsComparedWhateverTheColumnsAre(t *testing.T) {
	table := &Table{Name: "bare", Claim: "id", Columns: []Column{{Name: "at", Type: Timestamp, From: "worker.now"}}}
	e := compiled(t, table).NewEncoder(false)
	for body, want := range map[string]Reason{
		`{"id":"device1"}`: "", `{"id":2600000000000001}`: "", `{"id":"device2"}`: DeviceMismatch, `{"device_id":"device2"}`: "", `{"id":1`: MalformedBody,
	} {
		refuses(t, e, message(body), want)
	}
	// Without a body to read, any bytes are good.
	refuses(t, compiled(t, &Table{Name: "raw", Columns: []Column{{Name: "data", Type: Bytes, From: "message.data"}}}).NewEncoder(false), message("ÿ"), "")
}

func TestClaimOf(t *testing.T) {
	plan := builtinPlan(t, "temperature")
	long := strings.Repeat("x", 255)
	for body, want := range map[string]string{
		`{"device_id":"device2"}`:                               "device2",
		`{"device\u005fid":"\u0064\ud83d\ude00"}`:               "d😀",
		`{"device_id":17}`:                                      "17",
		`{"device_id":-1.50e+2}`:                                "-1.50e+2",
		`{"device_id":""}`:                                      "",
		`{"device_id":"` + long + `"}`:                          long,
		`{"device_id":"` + strings.Repeat(`\u0078`, 255) + `"}`: long,
		`{"device_id":"a","timestamp":1,"timestamp":1}`:         "a", // malformed, and yet clear
		`{"device_id":"a","TIMESTAMP":1}`:                       "a",
		`{"device_id":"a","x":{"device_id":"b"}}`:               "a",
	} {
		if got := plan.ClaimOf([]byte(body)); got == nil || string(got) != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
	for _, body := range []string{
		``, `{}`, `"device2"`, `{"device_id":null}`, `{"device_id":true}`, `{"device_id":{}}`, `{"device_id":["a"]}`,
		`{"device_id":"` + long + `x"}`, `{"device_id":1` + long + `}`, `{"device_id":` + strings.Repeat("1", 256) + `}`,
		`{"device_id":"a","device_id":"a"}`, `{"device_id":"a","DEVICE_ID":"a"}`, `{"DEVICE_ID":"a"}`,
		`{"device_id":"a"`, `{"device_id":"a"}x`, "{\"device_id\":\"a\xff\"}", `{"device_id":"\ud800"}`,
		`{"device_id":"a"}` + strings.Repeat(" ", MaxBody),
	} {
		if got := plan.ClaimOf([]byte(body)); got != nil {
			t.Errorf("%.100s: %.300q", body, got)
		}
	}
	if got := builtinPlan(t, "quarantine").ClaimOf([]byte(`{"device_id":"a"}`)); got != nil {
		t.Errorf("a table without a claim says %q", got)
	}
}

// A claim that is let through is one of the two ids, whatever surrounds it.
func FuzzClaim(f *testing.F) {
	for _, claim := range []string{`"device1"`, `2600000000000001`, `"dev\u0069ce1"`, `null`, `"device1","device_id":1`, `1.0`, `"\ud800"`, `"a","DEVICE_ID":"b"`} {
		f.Add([]byte(claim), "device1", "2600000000000001")
	}
	table, err := Builtin("temperature")
	if err != nil {
		f.Fatal(err)
	}
	plan := compiled(f, table)
	e := plan.NewEncoder(true)
	f.Fuzz(func(t *testing.T, claim []byte, id, number string) {
		m := claiming(string(claim)).set(AttrDeviceID, id).set(AttrDeviceNumID, number)
		row, why := judge(t, e, m)
		told := plan.ClaimOf(m.Data)
		value := jsontext.Value(claim)
		if why == nil {
			if row["device_id"] != id || told == nil || string(told) != id && string(told) != number || len(told) == 0 {
				t.Fatalf("%q passes as %v", told, row["device_id"])
			}
			return
		}
		if value.IsValid() && value.Kind() == '"' && ValidID(id) && len(m.Data) <= MaxBody && len(number) <= maxAttributeValue {
			s, err := jsontext.AppendUnquote(nil, value[skipSpace(value):])
			if err == nil && (string(s) == id || len(s) > 0 && string(s) == number) && why.Reason != WrongType {
				t.Fatalf("%q is honest, but %v", s, why)
			}
		}
	})
}

func skipSpace(b []byte) int { return len(b) - len(strings.TrimLeft(string(b), " \t\r\n")) }
