package office_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"iotbridge/gateway/provision"
	"iotbridge/gateway/provision/office"
)

const (
	secret = "0123456789abcdef"
	mac    = "aa:bb:cc:00:11:22"
)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// read is the entries, and what ended them.
func read(s office.Syntax, r io.Reader) (all []string, err error) {
	for e, bad := range s.Read(r) {
		if bad != nil {
			err = bad
			break
		}
		text := e.Serial
		if e.MAC != "" {
			text += "mac:" + e.MAC
		}
		if e.Secret != nil {
			text += "*" + hex.EncodeToString(e.Secret)[:4]
		}
		all = append(all, text)
	}
	return all, err
}

func TestListsAsPeopleAndSpreadsheetsWriteThem(t *testing.T) {
	canonical, err := provision.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	hash := hashOf(secret)
	for text, want := range map[string]string{
		"":                                       "",
		"\n\n# nothing\n":                        "",
		"ab-12\nAB-13\n":                         "AB-12 AB-13",
		"ab-12":                                  "AB-12",
		"\ufeffAB-12\r\n AB-13 \r\n":             "AB-12 AB-13",
		mac + "\n" + "AB-12\n":                   "mac:" + canonical + " AB-12",
		"serial\nAB-12\n":                        "AB-12",
		"\ufeffSerial Number\nAB-12\n":           "AB-12",
		"mac\nAA-BB-CC-00-11-22\naabb.cc00.1122": "mac:" + canonical + " mac:" + canonical,
		"serial,mac\nAB-12,\n," + mac + "\n":     "AB-12 mac:" + canonical,
		"serial,claim_secret_sha256\nAB-12," + hash + "\nAB-13,\n":  "AB-12*" + hash[:4] + " AB-13",
		"claim_secret;serial\n" + secret + ";AB-12\n":               "AB-12*" + hash[:4],
		"serial,claim_secret\nAB-12,\"" + secret + "\"\n":           "AB-12*" + hash[:4],
		"serial,claim_secret\nAB-12,\"" + secret + ",\"\"\"\n":      "AB-12*" + hashOf(secret + `,"`)[:4],
		"# made by the line\n\nserial\n# the first\nAB-12\n\nAB-13": "AB-12 AB-13",
	} {
		got, err := read(office.Syntax{List: provision.Allow, Secrets: true}, strings.NewReader(text))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestAMistakeInAListSaysTheLine(t *testing.T) {
	long := strings.Repeat("A", 5000)
	for text, want := range map[string]struct {
		line  int
		words string
	}{
		"AB-12\n\nx y\nAB-13\n":                       {3, ""},
		"AB-12\n" + long + "\nAB-13":                  {2, "4096 bytes"},
		"AB-12\n" + strings.Repeat("A", 1<<20):        {2, "4096 bytes"},
		"AB-12,AB-13\n":                               {1, "nothing names them"},
		"serial,colour\nAB-12,red\n":                  {1, "colour"},
		"serial,serial\nAB-12,AB-13\n":                {1, "twice"},
		"serial,mac\nAB-12\n":                         {2, "1 columns, want 2"},
		"serial,mac\nAB-12," + mac + "\n":             {2, "a serial and a MAC"},
		"serial,mac\n,\n":                             {2, "neither"},
		"serial,claim_secret\nAB-12," + secret + "\n": {1, "claim_secret_sha256"},
		"serial,claim_secret_sha256\nAB-12,1234\n":    {2, "64 hexadecimal"},
		"serial\n\"AB-12\nAB-13\n":                    {2, "quotes"},
		"serial\nAB-12\n\x00\x01\x02\x03\n":           {3, ""},
		"serial\nAB-12\nAB\u200d13\n":                 {3, ""},
		"serial\nAB-12\n" + mac[:8] + "\n":            {3, ""},
		"mac\nAB-12\n":                                {2, ""},
	} {
		_, err := read(office.Syntax{List: provision.Allow}, strings.NewReader(text))
		var fault *office.LineError
		if !errors.As(err, &fault) || fault.Line != want.line || !strings.Contains(err.Error(), want.words) || len(err.Error()) > 500 {
			t.Errorf("%.60q: %v, want line %d and %q", text, err, want.line, want.words)
		}
	}
	for text, want := range map[string]string{
		"serial,claim_secret\nAB-12,short\n":                                                     "16 to 256",
		"serial,claim_secret,claim_secret_sha256\nAB-12," + secret + "," + hashOf(secret) + "\n": "leave one away",
	} {
		if _, err := read(office.Syntax{List: provision.Allow, Secrets: true}, strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := read(office.Syntax{List: provision.Deny}, strings.NewReader("serial,claim_secret_sha256\nAB-12,"+hashOf(secret)+"\n")); err == nil || !strings.Contains(err.Error(), "only the allow list") {
		t.Error(err)
	}
}

// A serial whose end did not arrive is another serial.
func TestB73_AHalfWrittenLineIsNoEntry(t *testing.T) {
	cut := io.MultiReader(strings.NewReader("AB-12\nAB-1300"), iotest.ErrReader(io.ErrUnexpectedEOF))
	got, err := read(office.Syntax{List: provision.Allow}, cut)
	if strings.Join(got, " ") != "AB-12" || !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestB73_AMistakeAddsNothingBehindIt(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	var lines []string
	for i := range 6000 {
		lines = append(lines, fmt.Sprintf("AB-%05d", i))
	}
	lines[5500] = "not a serial"
	code, text := b.do(admin, http.MethodPost, "profiles/batch7/lists/allow", strings.Join(lines, "\n"))
	for _, want := range []string{`"line":5501`, `"changed":5500`, `"entries":5500`, "INVALID_ARGUMENT", "line 5501: "} {
		if code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%d %s, want %s", code, text, want)
		}
	}
	for serial, allowed := range map[string]bool{"AB-00000": true, "AB-05499": true, "AB-05501": false, "AB-05999": false} {
		l, err := b.store.Provisioning().Listed(t.Context(), "batch7", provision.Unit{Serial: serial})
		if err != nil || l.Allowed != allowed {
			t.Errorf("%s is allowed: %t, %v", serial, l.Allowed, err)
		}
	}
	lines[5500] = "AB-05500"
	var again office.Imported
	b.ask(&again, http.MethodPost, "profiles/batch7/lists/allow", strings.Join(lines, "\n"))
	if again != (office.Imported{Entries: 6000, Changed: 500}) {
		t.Errorf("sent again: %+v", again)
	}
}

// The connection ends in the middle of a serial.
func TestB73_AnUploadThatIsCutOffAddsWholeLinesOnly(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	body, send := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/v1/provisioning/profiles/batch7/lists/deny", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/csv")
	req.Header.Set("Authorization", "Bearer "+admin)
	go func() {
		_, _ = send.Write([]byte("AB-12\nAB-1300"))
		send.CloseWithError(errors.New("the cable was pulled"))
	}()
	if resp, err := b.client.Do(req); err == nil {
		resp.Body.Close()
	}
	b.ask(nil, http.MethodPost, "profiles/batch7/lists/deny", "AB-99\n") // and what came before it is over
	if got := b.list("batch7", "deny"); strings.Contains(got, "AB-1300") {
		t.Errorf("deny has %s", got)
	}
}

func TestListsAreReadAndTakenBack(t *testing.T) {
	b := newBed(t)
	b.profile("batch7")
	var n office.Imported
	b.ask(&n, http.MethodPost, "profiles/batch7/lists/allow", "serial,mac,claim_secret_sha256\nab-12,,"+hashOf(secret)+"\nAB-13,,\n,"+mac+",\nAB-13,,\n")
	if n != (office.Imported{Entries: 4, Changed: 3}) {
		t.Errorf("%+v", n)
	}
	canonical, _ := provision.ParseMAC(mac)
	if got := b.list("batch7", "allow"); got != canonical+" AB-12* AB-13" {
		t.Errorf("%s", got)
	}
	if _, text := b.do(admin, http.MethodGet, "profiles/batch7/lists/allow", ""); strings.Contains(text, hashOf(secret)) {
		t.Error("what proves a unit is told")
	}
	b.ask(&n, http.MethodPost, "profiles/batch7/lists/allow:remove", "AB-13\nAB-14\n")
	if n != (office.Imported{Entries: 2, Changed: 1}) {
		t.Errorf("%+v", n)
	}
	b.ask(nil, http.MethodDelete, "profiles/batch7/lists/allow/"+mac, "")
	if got := b.list("batch7", "allow"); got != "AB-12*" {
		t.Errorf("%s", got)
	}
	if code, _ := b.do(admin, http.MethodDelete, "profiles/batch7/lists/allow/AB-13", ""); code != http.StatusNotFound {
		t.Errorf("taken away twice: %d", code)
	}
	for _, c := range []struct{ path, media string }{{"profiles/batch7/lists/allow", "application/json"}, {"profiles/batch7/lists/allow", ""}, {"profiles/batch7/lists/allow?x=1", "text/csv"}} {
		if code, text := b.send(admin, http.MethodPost, c.path, strings.NewReader("AB-15\n"), c.media); code != 400 {
			t.Errorf("%v: %d %s", c, code, text)
		}
	}
	if code, _ := b.do(admin, http.MethodPost, "profiles/batch7/lists/maybe", "AB-15\n"); code != http.StatusNotFound {
		t.Error(code)
	}
}

// What is appended is read as it was.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{"AB-12\n" + mac, "serial;mac\nAB-12;\n", "serial,claim_secret\nAB-12,\"0123456789,abcdef\"", "\ufeff#\n\"", "mac\n\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		syntax := office.Syntax{List: provision.Allow, Secrets: true}
		first, bad := read(syntax, bytes.NewReader(text))
		var fault *office.LineError
		if bad != nil && (!errors.As(bad, &fault) || fault.Line < 1 || fault.Line > bytes.Count(text, []byte("\n"))+1) {
			t.Fatalf("%v", bad)
		}
		again := office.AppendEntryHeading(nil)
		for e, err := range syntax.Read(bytes.NewReader(text)) {
			if err == nil {
				again = office.AppendEntry(again, e)
			}
		}
		second, err := read(office.Syntax{List: provision.Allow}, bytes.NewReader(again))
		if err != nil || !slices.Equal(first, second) {
			t.Fatalf("%q became %q, %v", first, second, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	text := bytes.Repeat([]byte("AB-0012345,,"+hashOf(secret)+"\n"), 10_000)
	text = append(office.AppendEntryHeading(nil), text...)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		n := 0
		for _, err := range (office.Syntax{List: provision.Allow}).Read(bytes.NewReader(text)) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 10_000 {
			b.Fatal(n)
		}
	}
}
