package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGoodMessageBecomesARow(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(true)
	row, why := judge(t, e, reading().set(AttrGatewayID, "gateway-1"))
	if why != nil {
		t.Fatal(why)
	}
	want := map[string]any{
		"device_id": "device1", "device_num_id": "2600000000000001", "registry_id": "registry-1", "location": "europe-west1",
		"project_id": "project-1", "sub_folder": "", "gateway_id": "gateway-1", "event_time": int64(1_700_000_000_123_000),
		"temperature": 21.437, "message_id": "9000000000000001", "publish_time": int64(1_700_000_000_500_000), "ingest_time": int64(now),
	}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
}

func TestAbsentAttributeIsNull(t *testing.T) {
	m := reading()
	m.Attributes = m.Attributes[:1]
	row, why := judge(t, builtinPlan(t, "temperature").NewEncoder(false), m)
	if why != nil {
		t.Fatal(why)
	}
	for _, name := range []string{"device_num_id", "registry_id", "location", "project_id", "sub_folder", "gateway_id"} {
		if v, ok := row[name]; ok {
			t.Errorf("%s is %q", name, v)
		}
	}
}

// Each message has the fault that is named and every one that comes after it.
func TestFaultsAreFoundInOrder(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	long := strings.Repeat(" ", MaxBody)
	for _, c := range []struct {
		device, body string
		want         Reason
	}{
		{"", `{` + long, MissingIdentity},
		{"device1", `{` + long, Oversize},
		{"device1", `{"device_id":1,"device_id":2,"temperature":"x","timestamp":1e99,"timestamp":1}`, MalformedBody},
		{"device1", `{"device_id":true,"device_id":2,"timestamp":1e99,"temperature":"x"}`, AmbiguousIdentity},
		{"device1", `{"device_id":true,"timestamp":1e99,"temperature":"x"}`, WrongType},
		{"device1", `{"device_id":"other","timestamp":1e99,"temperature":"x"}`, DeviceMismatch},
		{"device1", `{"device_id":"device1","timestamp":1e99,"temperature":"x"}`, TimestampOutOfRange}, // the first column
		{"device1", `{"device_id":"device1","temperature":"x","reading_id":1}`, MissingField},
		{"device1", `{"device_id":"device1","timestamp":1,"temperature":"x","reading_id":1}`, WrongType},
		{"device1", `{"device_id":"device1","timestamp":1,"temperature":1e999,"reading_id":1}`, ValueOutOfRange},
		{"device1", `{"device_id":"device1","timestamp":1,"temperature":1,"reading_id":1}`, WrongType},
		{"device1", `{"device_id":"device1","timestamp":1,"temperature":1,"reading_id":"1"}`, ""},
	} {
		refuses(t, e, message(c.body).set(AttrDeviceID, c.device), c.want)
	}
}

func TestMissingIdentity(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	m := reading()
	m.Attributes = m.Attributes[1:]
	refuses(t, e, m, MissingIdentity)
	for _, id := range []string{"", "ab", "2600000000000001", "google1", "device 1", "device1\n", "d\xffvice", strings.Repeat("d", 256)} {
		refuses(t, e, reading().set(AttrDeviceID, id), MissingIdentity)
	}
}

func TestOversizeBeginsPast262144Bytes(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	const body = `{"timestamp":1,"temperature":1}`
	fits := body + strings.Repeat(" ", 262144-len(body))
	refuses(t, e, message(fits), "")
	refuses(t, e, message(fits+" "), Oversize)
}

func TestG18_AttributesBeyondPubSub(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	q := builtinPlan(t, "quarantine")
	many := reading()
	for i := range 100_000 {
		many.Attributes = append(many.Attributes, Attribute{Key: []byte(strings.Repeat("k", i%256)), Value: []byte("v")})
	}
	for name, m := range map[string]*Message{
		"count":      many,
		"value":      reading().set("x", strings.Repeat("v", 1025)),
		"key":        reading().set(strings.Repeat("k", 257), "v"),
		"own value":  reading().set(AttrSubFolder, strings.Repeat("v", 1<<20)),
		"long names": reading().set(strings.Repeat("k", 1<<20), strings.Repeat("\x00", 1<<20)),
	} {
		_, why := judge(t, e, m)
		if why == nil || why.Reason != Oversize {
			t.Fatalf("%s: %v", name, why)
		}
		row := decode(t, q.table, q.AppendRejected(nil, m, &Verdict{Rejection: why}))
		if row["reason"] != "oversize" || row["data"] != string(m.Data) {
			t.Errorf("%s: %.300v", name, row)
		}
	}
	refuses(t, e, reading().set(strings.Repeat("k", 256), strings.Repeat("v", 1024)), "")
	refuses(t, e, reading().set(AttrSubFolder, "a\xff"), WrongType)
}

func TestOfAnAttributeThatComesTwiceTheFirstCounts(t *testing.T) {
	m := reading()
	m.Attributes = append(m.Attributes, Attribute{[]byte(AttrDeviceID), []byte("other-1")})
	row, why := judge(t, builtinPlan(t, "temperature").NewEncoder(false), m)
	first, _ := m.Attr(AttrDeviceID)
	if why != nil || row["device_id"] != string(first) {
		t.Errorf("%v, %v", row["device_id"], why)
	}
}

func TestUnknownMembers(t *testing.T) {
	const body = `{ "a" : [1.0, 2e+5] ,"temperature":1,"b\u0063":"\u00e4","timestamp":1, "a":{"temperature":2} }`
	for unknown, want := range map[Unknown]any{
		Keep: `{"a" : [1.0, 2e+5],"b\u0063":"\u00e4","a":{"temperature":2}}`,
		Drop: nil, Reject: MalformedBody,
	} {
		table, _ := Builtin("temperature")
		table.Unknown = unknown
		if unknown != Keep {
			table.Columns[10] = Column{Name: "extra", Type: String, From: "attribute.extra"}
		}
		row, why := judge(t, compiled(t, table).NewEncoder(false), message(body))
		if why != nil {
			if why.Reason != want {
				t.Errorf("%s: %v", unknown, why)
			}
		} else if row["extra"] != want {
			t.Errorf("%s: %s", unknown, row["extra"])
		}
	}
	row, _ := judge(t, builtinPlan(t, "temperature").NewEncoder(false), reading())
	if v, ok := row["extra"]; ok {
		t.Errorf("extra is %s without other members", v)
	}
}

func TestSensordataKeepsAnyObjectWhole(t *testing.T) {
	e := builtinPlan(t, "sensordata").NewEncoder(false)
	for _, body := range []string{`{}`, ` {"humidity":1e999,"humidity":2}` + "\n", `{"DEVICE":"x"}`, `{"device_id":2600000000000001}`} {
		row, why := judge(t, e, message(body))
		if why != nil || row["payload"] != body {
			t.Errorf("%s: %v, %v", body, row["payload"], why)
		}
	}
	for _, body := range []string{``, `[]`, `1`, `"{}"`, `null`, `{}{}`} {
		refuses(t, e, message(body), MalformedBody)
	}
	refuses(t, e, message(`{"device_id":"device2"}`), DeviceMismatch)
}

func TestNothingStaysFromOneMessageToTheNext(t *testing.T) {
	plan := builtinPlan(t, "temperature")
	e := plan.NewEncoder(false)
	full := message(`{"device_id":"device1","timestamp":1,"temperature":1,"reading_id":"r","secret":1}`).set(AttrGatewayID, "gateway-1")
	bare := message(`{"timestamp":2,"temperature":2}`)
	bare.Attributes = bare.Attributes[:1]
	want, _ := judge(t, plan.NewEncoder(false), bare)
	for _, before := range []*Message{full, message(`{"device_id":1,"device_id":2,"secret":`), message(`{"device_id":1,"device_id":2,"secret":1}`)} {
		judge(t, e, before)
		if got, why := judge(t, e, bare); why != nil || !cmp.Equal(got, want) {
			t.Errorf("after %s: %v, %v", before.Data, cmp.Diff(want, got), why)
		}
	}
	if e.body.text != nil {
		t.Error("the encoder keeps the last message in memory")
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	plan := builtinPlan(t, "temperature")
	e, row := plan.NewEncoder(false), make([]byte, 0, 4096)
	for _, body := range []string{
		string(reading().Data),
		`{"device_id":"dev\u0069ce1","times\u0074amp":"2023-11-14T22:13:20.5+01:00","temperature":1e1,"reading_id":"\ud83d\ude00"}`,
		`{"device_id":2600000000000001,"timestamp":17000000001230000000000000000000000000000000000e-37,"temperature":21.4370000000000000000000000000000000000000000001,"x":[{"y":null}]}`,
	} {
		m := message(body)
		if n := testing.AllocsPerRun(100, func() {
			if _, err := e.Append(row, m, now); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", body, n)
		}
	}
}

func TestReadingIsTaken(t *testing.T) {
	for _, r := range []Reading{
		{"device1", micros(1_700_000_000_123_000), 21.437, "0192f3c4"},
		{"", micros(0), -55, ""},
		{"", micros(-1_000_001), 125, "a \"quoted\" id, \n ü \u2028"},
		{"2600000000000001", micros(1_700_000_000_000_001), 0.0625, ""},
	} {
		row, why := judge(t, builtinPlan(t, "temperature").NewEncoder(r.DeviceID != ""), message(string(r.Append(nil))))
		if why != nil {
			t.Errorf("%s: %v", r.Append(nil), why)
			continue
		}
		if row["event_time"] != r.Time.UnixMicro() || row["temperature"] != r.Temperature || (r.ID != "") != (row["reading_id"] == r.ID) {
			t.Errorf("%s: %v", r.Append(nil), row)
		}
	}
}
