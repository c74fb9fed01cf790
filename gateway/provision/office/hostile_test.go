package office_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"iotbridge/gateway"
)

// Names that nobody can have are nobody's, whatever they would mean to a shell, a
// database, a path or a log.
func TestP12_NamesThatNobodyCanHave(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	for _, name := range []string{
		"../../etc/passwd", "..", "%2e%2e", "a\x00b", "a\r\nX: y", "' OR 1=1 --", "{{.}}", "$(id)", "`id`", "<script>", "batch7\u202e", "\xff\xfe", " batch7", "BATCH７",
		"-1", "%s%n", strings.Repeat("A", 5000), "batch7;drop", "profiles/batch7", "ＡＢ-12", "ab\u0131-12",
	} {
		for _, r := range requests {
			for _, part := range []string{"batch7", "AB-12", sum1, "allow", "deny"} {
				path := strings.Replace(r.path, part, url.PathEscape(name), 1)
				if path == r.path {
					continue
				}
				code, text := b.do(admin, r.method, path, r.body)
				if code != http.StatusBadRequest && code != http.StatusNotFound || len(text) > 2000 || strings.ContainsAny(text, "\r\n\x00") {
					t.Errorf("%s %.100q: %d %.300q", r.method, path, code, text)
				}
			}
		}
	}
	list, _, err := b.store.Audit(t.Context(), gateway.Page{Size: 500})
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Action != "create_profile" {
		t.Errorf("something was changed: %+v", list[0])
	}
}

func TestP5_OneSerialHasOneSpelling(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	b.ask(nil, http.MethodPost, "profiles/batch7/lists/deny", "ab-12\nAB-12\nAb-12\t\n  aB-12\n")
	if got := b.list("batch7", "deny"); got != "AB-12" {
		t.Error(got)
	}
	for _, line := range []string{"AB12/", "A B-12", "AB-12\u00a0", "ＡＢ-12", "AB\u200b-12", "AB_12", "ABC", strings.Repeat("A", 65), "AB-12\x00x", "ſerial-1", "İB-12"} {
		if code, text := b.do(admin, http.MethodPost, "profiles/batch7/lists/deny", line); code != http.StatusBadRequest || !strings.Contains(text, `"line":1`) {
			t.Errorf("%q: %d %s", line, code, text)
		}
	}
	b.ask(nil, http.MethodDelete, "profiles/batch7/lists/deny/ab-12", "")
	if got := b.list("batch7", "deny"); got != "" {
		t.Error(got)
	}
}
