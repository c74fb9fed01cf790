package agentd

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile bounds what is read of a configuration, in bytes.
const maxFile = 64 << 10

// entry is a line KEY = VALUE of the section [SETTINGS].
type entry struct {
	line       int
	key, value string // as written; the value without its quotes
}

// lineError is what is wrong with one line of a file.
type lineError struct {
	line int
	text string
}

func (e *lineError) Error() string { return fmt.Sprintf("%d: %s", e.line, e.text) }

func wrong(line int, format string, args ...any) error {
	return &lineError{line, fmt.Sprintf(format, args...)}
}

// parseINI reads the file that the tutorial's devices read with Python's
// configparser, strictly: what that one would take for something else than its
// author meant is an error. Errors are *lineError.
func parseINI(text []byte) ([]entry, error) {
	if len(text) > maxFile {
		return nil, wrong(1, "the file is larger than %d bytes: is this the configuration?", maxFile)
	}
	if bytes.HasPrefix(text, []byte{0xff, 0xfe}) || bytes.HasPrefix(text, []byte{0xfe, 0xff}) {
		return nil, wrong(1, "the file is UTF-16: save it as UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	var entries []entry
	section, n := 0, 0 // lines
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"))
		switch {
		case !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }):
			return nil, wrong(n, "the line has bytes that are no text: save the file as UTF-8")
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			if !strings.EqualFold(strings.ReplaceAll(line, " ", ""), "[settings]") {
				return nil, wrong(n, "unknown section %s: all keys stand below [SETTINGS]", clip(line))
			}
			if section > 0 {
				return nil, wrong(n, "[SETTINGS] is there twice, first in line %d: put all keys below one", section)
			}
			section = n
		case section == 0:
			return nil, wrong(n, "%s stands before [SETTINGS]: put that line first", clip(line))
		default:
			e, err := parseEntry(n, line)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
		}
	}
	if section == 0 {
		return nil, wrong(max(n, 1), "there is no section [SETTINGS]: put that line first")
	}
	return entries, nil
}

func parseEntry(n int, line string) (entry, error) {
	at := strings.IndexAny(line, "=:")
	if at < 0 {
		return entry{}, wrong(n, "%s is no setting: want KEY = VALUE", clip(line))
	}
	key, value := strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])
	switch {
	case key == "":
		return entry{}, wrong(n, "there is no key before %q: want KEY = VALUE", line[at:at+1])
	case value == "":
		return entry{}, wrong(n, "%s has no value: give it one, or take the line out", clip(key))
	case value[0] == '"' || value[0] == '\'':
		inner := value[1:]
		if at := strings.IndexByte(inner, value[0]); at < 0 || at != len(inner)-1 {
			return entry{}, wrong(n, "%s begins with a quote and does not end with it: put the whole value in quotes, or none of it", clip(key))
		}
		value = inner[:len(inner)-1]
		if value == "" {
			return entry{}, wrong(n, "%s has no value: give it one, or take the line out", clip(key))
		}
	case strings.Contains(value, " #") || strings.Contains(value, " ;") || strings.Contains(value, "\t#") || strings.Contains(value, "\t;"):
		return entry{}, wrong(n, "%s is followed by what may be a comment: comments have a line of their own; if it belongs to the value, put the value in quotes", clip(key))
	}
	return entry{n, key, value}, nil
}

// clip is what an error shows of a line.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}
