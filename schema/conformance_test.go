package schema

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// readsValue reports whether the scanner takes b as one JSON value of any kind.
func readsValue(b []byte) bool {
	s := scanner{text: b[:len(b):len(b)]} // nothing behind it can be read unseen
	s.value(0)
	s.peek()
	return s.fault == "" && s.at == len(b)
}

// The cases follow the published JSONTestSuite (github.com/nst/JSONTestSuite): y
// must be accepted, n must be refused, i may be either and says which we are.
func TestG8_Conformance(t *testing.T) {
	for _, set := range []struct {
		name  string
		want  bool
		cases []string
	}{
		{"y", true, mustAccept()}, {"n", false, mustRefuse()}, {"i, taken", true, eitherTaken()}, {"i, refused", false, eitherRefused()},
	} {
		for _, text := range set.cases {
			if readsValue([]byte(text)) != set.want {
				t.Errorf("%s: %.80q", set.name, text)
			}
			// As a member: what is a value is one there too.
			b := newBody(&members{claim: -1})
			if set.want && !b.read(&members{claim: -1}, []byte(`{"a":`+text+`}`)) && strings.Count(text, "[") < maxDepth {
				t.Errorf("%s: as a member: %.80q: %s", set.name, text, b.fault)
			}
		}
	}
}

func TestConformanceAgreesWithJSONText(t *testing.T) {
	for _, text := range append(append(mustAccept(), mustRefuse()...), append(eitherTaken(), eitherRefused()...)...) {
		if got, want := readsValue([]byte(text)), oracleReads([]byte(text)); got != want {
			t.Errorf("%.80q: %v, jsontext says %v", text, got, want)
		}
	}
}

// oracleReads is what readsValue should be, by another hand.
func oracleReads(b []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(b), jsontext.AllowDuplicateNames(true))
	deepest := 0
	for range len(b) + 1 {
		if _, err := d.ReadToken(); err != nil {
			break
		}
		deepest = max(deepest, d.StackDepth())
	}
	return deepest <= maxDepth && jsontext.Value(b).IsValid(jsontext.AllowDuplicateNames(true))
}

func TestG8_DepthIsAtMost16(t *testing.T) {
	m := &members{claim: -1}
	for depth, want := range map[int]bool{1: true, 2: true, 16: true, 17: false, 10_000: false, 100_000: false} {
		for _, pair := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
			inner := strings.Repeat(pair[0], depth-1) + "1" + strings.Repeat(pair[1], depth-1)
			b := newBody(m)
			if got := b.read(m, []byte(`{"x":`+inner+`}`)); got != want {
				t.Errorf("%d of %s: %v, %s", depth, pair[0], got, b.fault)
			}
			if b.read(m, []byte(`{"x":`+strings.Repeat(pair[0], depth))) {
				t.Errorf("%d of %s, never closed", depth, pair[0])
			}
		}
	}
}

func TestG8_HostileBodies(t *testing.T) {
	e := builtinPlan(t, "temperature").NewEncoder(false)
	const rest = `"timestamp":1,"temperature":1}`
	for name, body := range map[string]string{
		"empty": "", "white space": " \t\r\n ", "BOM": "\ufeff{" + rest, "UTF-16": "{\x00}\x00", "NUL": "\x00", "trailing": "{" + rest + "x",
		"trailing NUL": "{" + rest + "\x00", "trailing object": "{" + rest + "{}", "two BOMs": "\ufeff\ufeff", "array": `[{` + rest + `]`,
		"lone surrogate": `{"a":"\ud800",` + rest, "lone low": `{"a":"\udc00",` + rest, "reversed pair": `{"a":"\udc00\ud800",` + rest,
		"lone in name": `{"\ud800":1,` + rest, "encoded surrogate": "{\"a\":\"\xed\xa0\x80\"," + rest, "overlong": "{\"a\":\"\xc0\xaf\"," + rest,
		"past U+10FFFF": "{\"a\":\"\xf4\x90\x80\x80\"," + rest, "cut UTF-8": "{\"a\":\"\xc3\"," + rest, "cut at the end": "{\"a\":\"\xe2\x82",
		"invalid in name": "{\"a\xff\":1," + rest, "comment": `{/**/` + rest, "single quotes": `{'a':1,` + rest, "no quotes": `{a:1,` + rest,
		"form feed": "\f{" + rest, "NBSP": "\u00a0{" + rest, "control": "{\"a\":\"\x1f\"," + rest, "gzip": "\x1f\x8b\x08", "CBOR": "\xa1\x61a\x01",
	} {
		if _, why := judge(t, e, message(body)); why == nil || why.Reason != MalformedBody {
			t.Errorf("%s: %v", name, why)
		}
	}
	var many strings.Builder
	for many.WriteByte('{'); many.Len() < MaxBody-100; {
		many.WriteString(`"":0,`)
	}
	for name, body := range map[string]string{
		"50,000 members": many.String() + rest,
		"long name":      `{"` + strings.Repeat("k", 200_000) + `":1,` + rest,
		"escaped name":   `{"` + strings.Repeat(`\u0054`, 40_000) + `":1,` + rest,
		"long string":    `{"a":"` + strings.Repeat("é", 100_000) + `",` + rest,
		"long number":    `{"a":` + strings.Repeat("1", 200_000) + `,` + rest,
		"U+FFFF, DEL":    "{\"a\":\"\uffff\x7f\"," + rest,
	} {
		if _, why := judge(t, e, message(body)); why != nil {
			t.Errorf("%s: %v", name, why)
		}
	}
}

// The scanner and jsontext agree on what is JSON, to the letter.
func FuzzScan(f *testing.F) {
	for _, set := range [][]string{mustAccept(), mustRefuse(), eitherTaken(), eitherRefused()} {
		for _, text := range set {
			if len(text) < 200 {
				f.Add([]byte(text))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, want := readsValue(b), oracleReads(b); got != want {
			t.Errorf("%q: %v, jsontext says %v", b, got, want)
		}
	})
}
