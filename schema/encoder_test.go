package schema

import "testing"

// now is the ingest time of the tests, µs.
const now = 1_700_000_001_000_000

// reading is a message as a gateway publishes it.
func reading() *Message {
	return message(`{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`)
}

func message(body string) *Message {
	attr := func(k, v string) Attribute { return Attribute{[]byte(k), []byte(v)} }
	return &Message{
		ID: []byte("9000000000000001"), PublishTime: 1_700_000_000_500_000, Data: []byte(body),
		Attributes: []Attribute{
			attr(AttrDeviceID, "device1"), attr(AttrDeviceNumID, "2600000000000001"), attr(AttrRegistryID, "registry-1"),
			attr(AttrRegistryLocation, "europe-west1"), attr(AttrProjectID, "project-1"), attr(AttrSubFolder, ""),
		},
	}
}

// set sets or adds an attribute.
func (m *Message) set(key, value string) *Message {
	for i := range m.Attributes {
		if string(m.Attributes[i].Key) == key {
			m.Attributes[i].Value = []byte(value)
			return m
		}
	}
	m.Attributes = append(m.Attributes, Attribute{[]byte(key), []byte(value)})
	return m
}

func builtinPlan(tb testing.TB, name string) *Plan {
	tb.Helper()
	table, err := Builtin(name)
	if err != nil {
		tb.Fatal(err)
	}
	return compiled(tb, table)
}

func compiled(tb testing.TB, table *Table) *Plan {
	tb.Helper()
	p, err := table.Compile()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct{ name, table, body string }{
		{"temperature", "temperature", `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`},
		{"reading_id", "temperature", `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437,"reading_id":"0192f3c4-7a11-7000-8000-0000000000ff"}`},
		{"extra", "temperature", `{"temperature":21.437,"fw":{"v":"1.2.3","tags":["a","b"]},"timestamp":1700000000.123,"ok":true,"device_id":"device1"}`},
		{"rfc3339", "temperature", `{"device_id":"device1","timestamp":"2023-11-14T22:13:20.123Z","temperature":21.437}`},
		{"sensordata", "sensordata", `{"device_id":"device1","timestamp":1700000000.123,"temperature":21.437}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			e := builtinPlan(b, bench.table).NewEncoder(false)
			m := message(bench.body)
			row := make([]byte, 0, 1024)
			b.SetBytes(int64(len(bench.body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Append(row, m, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRejected(b *testing.B) {
	plan, quarantine := builtinPlan(b, "temperature"), builtinPlan(b, "quarantine")
	e := plan.NewEncoder(false)
	m := message(`{"device_id":"device2","timestamp":1700000000.123,"temperature":21.437}`)
	row := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		_, err := e.Append(row, m, now)
		quarantine.AppendRejected(row, m, &Verdict{Rejection: err.(*Rejection), Claim: plan.ClaimOf(m.Data), Now: now})
	}
}
