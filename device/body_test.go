package device

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"iotbridge/schema"
)

const testStream = "0123456789abcdef0123456789abcdef"

func fullRecord() record {
	return record{
		wall: 1_700_000_000_123, since: 42_007 * time.Millisecond, boot: "6a1f", plausible: true, suspect: true,
		probe: "28-0316a2795b12", temperature: 21.437, extra: []byte(`"humidity":40,"ok":true`),
	}
}

func TestBodyIsAsTheContractSays(t *testing.T) {
	full := fullRecord()
	for _, c := range []struct {
		name, mark, want string
		r                record
		at               int64
	}{
		{"small", "", `{"device_id":"device1","timestamp":1700000000.007,"temperature":-0.5,"reading_id":"` + testStream + `-7"}`, record{temperature: -0.5}, 1_700_000_000_007},
		{
			"full", markRestamped, `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437,"reading_id":"` + testStream +
				`-7","probe":"28-0316a2795b12","suspect":true,"clock":"restamped","humidity":40,"ok":true}`, full, full.wall,
		},
		{"before 1970", markUnsynced, `{"device_id":"device1","timestamp":-1.500,"temperature":0,"reading_id":"` + testStream + `-7","clock":"unsynced"}`, record{}, -1500},
	} {
		if got := string(c.r.appendBody(nil, "device1", readingID(testStream, 7), c.at, c.mark)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
	gap := string(appendGap(nil, "device1", 1_700_000_000_000, Gap{testStream, 3, math.MaxUint64, "full"}))
	if want := `{"device_id":"device1","timestamp":1700000000.000,"gap":{"stream":"` + testStream + `","first":3,"last":18446744073709551615,"reason":"full"}}`; gap != want {
		t.Errorf("gap:\n got %s\nwant %s", gap, want)
	}
}

// worker says what the worker would: nil is a row.
func worker(tb testing.TB) func(body []byte) error {
	tb.Helper()
	table, err := schema.Builtin("temperature")
	if err != nil {
		tb.Fatal(err)
	}
	plan, err := table.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	encoder := plan.NewEncoder(true)
	return func(body []byte) error {
		m := &schema.Message{ID: []byte("1"), Data: body, Attributes: []schema.Attribute{{Key: []byte(schema.AttrDeviceID), Value: []byte("device1")}}}
		_, err := encoder.Append(nil, m, 1)
		return err
	}
}

func TestTheWorkerTakesEachBody(t *testing.T) {
	judge := worker(t)
	for _, extra := range []string{
		``, ` `, `"humidity":40`, ` "a" : [1,2,{"b":null}] , "c" : "d" `, `"a":1,"a":2`,
		`"temperature":99`, `"Device_ID":"other"`, `"timeſtamp":1`, `"\u0074imestamp":1`, `"TEMPERATURE":1,"x":2`, `"reading_id":7,"Reading_Id":8`,
		`"probe":1,"suspect":false,"clock":3`, `"s":"\ud800"`, `"\udc00":1`, `"n":-0.0e-5`, `"nested":{"temperature":1}`, `"":0`, "\"t\":\"a<b>\u2028\"",
	} {
		clean, _, err := cleanExtra([]byte(extra))
		if err != nil {
			t.Errorf("%s: %v", extra, err)
			continue
		}
		r := record{temperature: 20, extra: clean}
		body := r.appendBody(nil, "device1", readingID(testStream, 1), 1_700_000_000_000, "")
		if err := judge(body); err != nil {
			t.Errorf("%s: the worker refuses %s: %v", extra, body, err)
		}
		if again, left, err := cleanExtra(clean); err != nil || len(left) > 0 || !bytes.Equal(again, clean) {
			t.Errorf("%s: cleaned twice it is %s, once %s", extra, again, clean)
		}
	}
}

func TestMembersThatAreOursOrNoJSONAreLeftOut(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, c := range []struct {
		extra, want, left string
		bad               bool
	}{
		{extra: `"a":1,"temperature":2,"b":3`, want: `"a":1,"b":3`, left: "temperature"},
		{extra: `"TimeStamp":1`, left: "TimeStamp"},
		{extra: `"a":1,"a":2`, want: `"a":1`, left: "a"},
		{extra: `"a":1}`, bad: true},
		{extra: `"a":1},{"b":2`, bad: true},
		{extra: `"a":1,`, bad: true},
		{extra: `"a"`, bad: true},
		{extra: `"a":NaN`, bad: true},
		{extra: "\"a\":\"\xff\"", bad: true},
		{extra: `"a":` + deep, bad: true},
		{extra: `"a":"` + strings.Repeat("x", maxExtra) + `"`, bad: true},
	} {
		clean, left, err := cleanExtra([]byte(c.extra))
		if (err != nil) != c.bad || string(clean) != c.want || strings.Join(left, ",") != c.left {
			t.Errorf("%.40s: %s, left %q, %v", c.extra, clean, left, err)
		}
	}
}

func TestRecordComesBackAsItWas(t *testing.T) {
	stepped := record{wall: -5, since: 0, stepped: true, temperature: -273.15}
	for _, r := range []record{{}, fullRecord(), stepped} {
		got, err := decodeRecord(r.append(nil))
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v came back as %+v, %v", r, got, err)
		}
	}
}

func TestRecordThatNobodyWroteIsRefused(t *testing.T) {
	r := fullRecord()
	good := r.append(nil)
	for n := range good {
		if _, err := decodeRecord(good[:n]); err == nil {
			t.Errorf("cut at %d it is taken", n)
		}
	}
	change := func(f func(r *record)) []byte {
		r := fullRecord()
		f(&r)
		return r.append(nil)
	}
	for name, b := range map[string][]byte{
		"more behind":       append(bytes.Clone(good), 0),
		"unknown flag":      append([]byte{recordVersion, flagsEnd}, good[2:]...),
		"long varint":       append([]byte{recordVersion, 0, 0x80, 0}, (&record{}).append(nil)[3:]...),
		"long length":       append((&record{}).append(nil)[:len((&record{}).append(nil))-1], 0x80, 0),
		"no number":         change(func(r *record) { r.temperature = math.NaN() }),
		"before the boot":   change(func(r *record) { r.since = -time.Second }),
		"year 10000":        change(func(r *record) { r.wall = maxWall + 1 }),
		"probe with a line": change(func(r *record) { r.probe = "a\n" }),
		"long probe":        change(func(r *record) { r.probe = strings.Repeat("p", maxProbe+1) }),
		"our member":        change(func(r *record) { r.extra = []byte(`"Temperature":1`) }),
		"no member":         change(func(r *record) { r.extra = []byte(`1`) }),
		"large":             make([]byte, maxRecord+1),
	} {
		if _, err := decodeRecord(b); err == nil || errors.Is(err, errVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decodeRecord(append([]byte{recordVersion + 1}, good[1:]...)); !errors.Is(err, errVersion) {
		t.Errorf("another version: %v", err)
	}
}

// FuzzRecord: what is taken has one form, and makes a body that the worker takes.
func FuzzRecord(f *testing.F) {
	r := fullRecord()
	f.Add(r.append(nil))
	f.Add((&record{}).append(nil))
	judge := worker(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		if again := r.append(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
		if r.temperature < -55 || r.temperature > 125 {
			r.temperature = 20
		}
		if body := r.appendBody(nil, "device1", readingID(testStream, 1), r.wall, markUnsynced); judge(body) != nil {
			t.Fatalf("the worker refuses %s: %v", body, judge(body))
		}
	})
}

// FuzzExtra: whatever a sensor says, the body stays one that the worker takes.
func FuzzExtra(f *testing.F) {
	for _, s := range []string{`"humidity":40,"ok":true`, `"timeſtamp":1`, `"a":{"b":[1e5,"\u0000"]}`, `"\ud800":"\ud800"`} {
		f.Add([]byte(s))
	}
	judge := worker(f)
	f.Fuzz(func(t *testing.T, extra []byte) {
		clean, _, err := cleanExtra(extra)
		if err != nil {
			return
		}
		r := record{temperature: 20, extra: clean}
		if err := r.check(); err != nil {
			t.Fatalf("%q became %q: %v", extra, clean, err)
		}
		if body := r.appendBody(nil, "device1", readingID(testStream, 1), 0, ""); judge(body) != nil {
			t.Fatalf("the worker refuses %s: %v", body, judge(body))
		}
	})
}

// FuzzConfig: nothing that the cloud sends leads outside of the owner's limits.
func FuzzConfig(f *testing.F) {
	for _, s := range []string{`{"version":7,"interval":"5s","sensors":["a"],"log_level":"debug","x":1}`, `{"interval":1e300}`, ``, `{}`, `[]`, `{"interval":null,"sensors":null}`} {
		f.Add([]byte(s))
	}
	s := DefaultSettings("device1")
	s.Sensors = []string{"a", "b"}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			if !shown(brief(err), 256) {
				t.Fatalf("the error cannot be told: %q", err)
			}
			return
		}
		now, _, err := c.within(&s)
		if err != nil {
			return
		}
		if now.interval < s.MinInterval || now.interval > s.MaxInterval || len(now.sensors) == 0 {
			t.Fatalf("%q is applied as %+v", data, now)
		}
		for _, name := range now.sensors {
			if name != "a" && name != "b" {
				t.Fatalf("%q samples %q", data, name)
			}
		}
	})
}
