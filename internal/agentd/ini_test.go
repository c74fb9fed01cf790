package agentd

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAFileIsReadAsItsAuthorMeantIt(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []entry
	}{
		{"the tutorial's form", "[SETTINGS]\n# a comment\nKEY_PATH = /home/pi/GCP/iot_keys/\nREGION      = us-central1\n", []entry{{3, "KEY_PATH", "/home/pi/GCP/iot_keys/"}, {4, "REGION", "us-central1"}}},
		{"from Windows", "\ufeff[SETTINGS]\r\nHOST=gateway\r\n", []entry{{2, "HOST", "gateway"}}},
		{"no new line at the end", "[settings]\nhost: gateway", []entry{{2, "host", "gateway"}}},
		{"blanks and both comments", "\n  ; one\n\t[ Settings ]\n  HOST\t=\t gateway \n", []entry{{4, "HOST", "gateway"}}},
		{"quotes keep what is in them", "[SETTINGS]\nA = \" b # c \"\nB = 'it=\"s\"'\n", []entry{{2, "A", " b # c "}, {3, "B", `it="s"`}}},
		{"the first separator counts", "[SETTINGS]\nSENSOR = exec:/bin/x a=b\n", []entry{{2, "SENSOR", "exec:/bin/x a=b"}}},
		{"# inside a word is no comment", "[SETTINGS]\nA = b#c\n", []entry{{2, "A", "b#c"}}},
		{"nothing is set", "[SETTINGS]\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseINI([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(entry{})); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestAWrongLineIsNamedWithItsCure(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no section", "HOST = gateway\n", "1: \"HOST = gateway\" stands before [SETTINGS]"},
		{"empty", "", "1: there is no section [SETTINGS]"},
		{"only comments", "# a\n# b\n", "2: there is no section"},
		{"another section", "[SETTINGS]\n[OTHER]\n", "2: unknown section"},
		{"the section twice", "[SETTINGS]\n\n[settings]\n", "3: [SETTINGS] is there twice, first in line 1"},
		{"no setting", "[SETTINGS]\nHOST\n", "2: \"HOST\" is no setting: want KEY = VALUE"},
		{"no key", "[SETTINGS]\n= x\n", "2: there is no key"},
		{"no value", "[SETTINGS]\nHOST =\n", "2: \"HOST\" has no value"},
		{"quotes around nothing", "[SETTINGS]\nHOST = \"\"\n", "2: \"HOST\" has no value"},
		{"an open quote", "[SETTINGS]\nHOST = \"gateway\n", "2: \"HOST\" begins with a quote"},
		{"a lone quote", "[SETTINGS]\nHOST = '\n", "2: \"HOST\" begins with a quote"},
		{"more behind the quote", "[SETTINGS]\nHOST = \"a\" \"b\"\n", "2: \"HOST\" begins with a quote"},
		{"a comment behind a value", "[SETTINGS]\nINTERVAL = 5s # five\n", "2: \"INTERVAL\" is followed by what may be a comment"},
		{"no UTF-8", "[SETTINGS]\nHOST = \xff\n", "2: the line has bytes that are no text"},
		{"a control character", "[SETTINGS]\nHOST = a\x00b\n", "2: the line has bytes"},
		{"old Macintosh", "[SETTINGS]\rHOST = a\r", "1: the line has bytes"},
		{"UTF-16", "\xff\xfe[\x00", "1: the file is UTF-16"},
		{"too large", strings.Repeat("#\n", maxFile/2+1), "1: the file is larger"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseINI([]byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add([]byte(tutorial))
	f.Add([]byte("\ufeff[settings]\r\nSENSOR = \"exec:a 'b'\"\r\nsensor: ds18b20\r\nINTERVAL=5s\r\nSPOOL_SIZE=1MiB\r\n"))
	f.Add([]byte("[SETTINGS]\nHOST = x # y\n[OTHER]\n"))
	app := model(f, new(Commands))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseINI(text)
		if wrong := (*lineError)(nil); err != nil && (!errors.As(err, &wrong) || wrong.line < 1 || wrong.line > bytes.Count(text, []byte("\n"))+1) {
			t.Fatalf("no line: %v", err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		last := 0
		for _, e := range entries {
			if e.line <= last || e.key == "" || e.value == "" || strings.ContainsAny(e.key+e.value, "\r\n\x00") {
				t.Fatalf("%+v after line %d", e, last)
			}
			last = e.line
		}
		read := file{name: "f", flags: map[string]setting{}}
		if err := read.read(app, text); err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("no line: %v", err)
		}
	})
}
