package loadtest

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
)

func TestABoardAsksForItsOwnKey(t *testing.T) {
	boards, err := NewBoards(3)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	for _, b := range boards {
		var asked Enrolment
		if err := json.Unmarshal(b.body, &asked); err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode([]byte(asked.CSR))
		csr, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if err := csr.CheckSignature(); err != nil || asked.Identifiers.SerialNumber != b.Serial || csr.Subject.SerialNumber != b.Serial {
			t.Errorf("%s: %v, %v", b.body, csr.Subject, err)
		}
		keys[string(csr.RawSubjectPublicKeyInfo)], keys[b.Serial] = true, true
	}
	if len(keys) != 6 {
		t.Errorf("%d keys and serials of 3 boards", len(keys))
	}
}

func TestEnrolmentsAreComparedWithTheFloorOfTheSameRun(t *testing.T) {
	r := NewEnrolReport(64)
	floor := &Enrolled{Server: "bare", Boards: 1000, Rate: 600, P50: 100, P99: 200, CPU: 500, Own: 500}
	r.End(floor, []*Enrolled{
		{Server: "first", Boards: 1000, Rate: 300, P50: 200, P99: 300, CPU: 2000, Own: 500},
		{Server: "second", Boards: 1000, Rate: 150, P50: 400, P99: 500}, // on a system that does not tell CPU
	})
	if got := r.Compared[0]; got != (EnrolRatio{0.5, 0.4, 4}) {
		t.Errorf("%+v", got)
	}
	if got := r.Compared[1]; got != (EnrolRatio{0.25, 0, 0}) {
		t.Errorf("%+v", got)
	}
	var text bytes.Buffer
	if err := r.Table(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"bare  first  ratio  second  ratio", "enrolments a second                      600   300    0.50   150     0.25",
		"CPU an enrolment, µs                     500   2000   4.00   –       –", "1000 boards, 64 at a time",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%s\nwant %q", &text, want)
		}
	}
}
