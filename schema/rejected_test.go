package schema

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRejectedMessageBecomesARow(t *testing.T) {
	p := builtinPlan(t, "quarantine")
	m := claiming(`"device2"`)
	m.Attempt = 3
	row := p.AppendRejected([]byte("before"), m, &Verdict{
		Rejection: NewRejection(DeviceMismatch, "device_id differs"), Claim: []byte("device2"), Now: now, Subscription: "projects/p/subscriptions/s", Worker: "host/1",
	})
	want := map[string]any{
		"message_id": "9000000000000001", "publish_time": int64(1_700_000_000_500_000), "quarantine_time": int64(now), "subscription": "projects/p/subscriptions/s",
		"reason": "device_mismatch", "detail": "device_id differs", "device_id": "device1", "claimed_device_id": "device2", "data": string(m.Data),
		"delivery_attempt": int64(3), "worker": "host/1",
		"attributes": `{"deviceId":"device1","deviceNumId":"2600000000000001","deviceRegistryId":"registry-1","deviceRegistryLocation":"europe-west1","projectId":"project-1","subFolder":""}`,
	}
	if diff := cmp.Diff(want, decode(t, p.table, row[len("before"):])); diff != "" {
		t.Error(diff)
	}
}

func TestRejectedMessageWithNothingInIt(t *testing.T) {
	p := builtinPlan(t, "quarantine")
	row := decode(t, p.table, p.AppendRejected(nil, new(Message), &Verdict{Rejection: &Rejection{Reason: MissingIdentity}}))
	for _, name := range []string{"device_id", "claimed_device_id", "delivery_attempt"} {
		if v, ok := row[name]; ok {
			t.Errorf("%s is %v", name, v)
		}
	}
	if row["attributes"] != "{}" || row["data"] != "" {
		t.Errorf("%v", row)
	}
}

// An attribute that is there and empty stays apart from one that is not there.
func TestRejectedEmptyIdentityIsKept(t *testing.T) {
	p := builtinPlan(t, "quarantine")
	row := decode(t, p.table, p.AppendRejected(nil, reading().set(AttrDeviceID, ""), &Verdict{Rejection: new(Rejection), Claim: []byte{}}))
	for _, name := range []string{"device_id", "claimed_device_id"} {
		if v, ok := row[name]; !ok || v != "" {
			t.Errorf("%s is %v", name, v)
		}
	}
}

func TestRejectedTextIsRepairedAndBytesAreNot(t *testing.T) {
	p := builtinPlan(t, "quarantine")
	m := message("\xff\xfe\x00")
	m.ID = []byte("id\xff")
	m.set(AttrDeviceID, "d\xffvice\n").set("k\"\xc3", "\x00\x1f\"\\\xed\xa0\x80é\u2028😀\xf0\x9f")
	row := decode(t, p.table, p.AppendRejected(nil, m, &Verdict{Rejection: &Rejection{MissingIdentity, "d\xff"}, Claim: []byte("c\xff")}))
	if row["data"] != "\xff\xfe\x00" {
		t.Errorf("data became %q", row["data"])
	}
	for name, want := range map[string]string{"device_id": "d\ufffdvice\n", "message_id": "id\ufffd", "claimed_device_id": "c\ufffd", "detail": "d?"} {
		if row[name] != want {
			t.Errorf("%s: %q", name, row[name])
		}
	}
	var attributes map[string]string
	if err := json.Unmarshal([]byte(row["attributes"].(string)), &attributes); err != nil {
		t.Fatal(err)
	}
	if !readsValue([]byte(row["attributes"].(string))) {
		t.Errorf("attributes are no strict JSON: %s", row["attributes"])
	}
	if got, want := attributes["k\"\ufffd"], "\x00\x1f\"\\\ufffd\ufffd\ufffdé\u2028😀\ufffd\ufffd"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestG13_DetailIsBoundedAndPrintable(t *testing.T) {
	hostile := "\r\n\x1b[31mred\x1b[0m\u2028\u202e\x00\xff\u200b" + strings.Repeat("ä", 1000)
	p := builtinPlan(t, "quarantine")
	for _, why := range []*Rejection{NewRejection(RejectedByBigQuery, hostile), {RejectedByBigQuery, hostile}} {
		row := decode(t, p.table, p.AppendRejected(nil, reading(), &Verdict{Rejection: why}))
		checkDetail(t, row["detail"].(string))
	}
	checkDetail(t, NewRejection(RejectedByBigQuery, strings.Repeat("\xff", 10_000)).Detail)
	if got := NewRejection(Oversize, strings.Repeat("x", 256)).Detail; len(got) != 256 {
		t.Errorf("256 bytes became %d", len(got))
	}
	if got := NewRejection(Oversize, strings.Repeat("ä", 200)).Detail; got != strings.Repeat("ä", 128) {
		t.Errorf("cut to %q", got)
	}

	// No verdict says what stands in the message.
	const secret = "PAYLOAD"
	e := builtinPlan(t, "temperature").NewEncoder(false)
	for _, body := range []string{
		`{"device_id":"` + secret + `"}`, `{"` + secret + `"`, `{"timestamp":"` + secret + `","temperature":1}`, `{"timestamp":1,"temperature":"` + secret + `"}`,
		`{"timestamp":1,"temperature":1,"reading_id":"` + strings.Repeat(secret, 100) + `"}`, secret, `{"device_id":{"a":"` + secret + `"}}`,
	} {
		_, why := judge(t, e, message(body).set(AttrSubFolder, secret))
		if why == nil || strings.Contains(why.Error(), secret) {
			t.Errorf("%s: %v", body, why)
		}
	}
}

func checkDetail(t *testing.T, s string) {
	t.Helper()
	if len(s) > 256 || !utf8.ValidString(s) {
		t.Errorf("detail of %d bytes: %q", len(s), s)
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			t.Errorf("%q in %q", r, s)
		}
	}
}
