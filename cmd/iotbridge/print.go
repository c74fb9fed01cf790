package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// shown is a text that somebody else has written, fit for a terminal: what would not
// print in a line is quoted.
func shown(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	return strconv.Quote(s)
}

// maxGlimpse is how much of a payload a table's row shows, in bytes.
const maxGlimpse = 60

// glimpse is the beginning of somebody's payload.
func glimpse(data []byte) string {
	if len(data) <= maxGlimpse {
		return shown(string(data))
	}
	return shown(strings.ToValidUTF8(string(data[:maxGlimpse]), "")) + "…"
}

// line is one property of what a command describes.
func line(out io.Writer, name, value string) { fmt.Fprintf(out, "%-15s %s\n", name, shown(value)) }

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// when is a moment of the API, to the second; never is "-".
func when(t *timestamppb.Timestamp) string {
	if t.GetSeconds() == 0 {
		return "-"
	}
	return t.AsTime().Format(time.RFC3339)
}

func orDash(s string) string { return cmp.Or(s, "-") }

// maxFile bounds what a command reads of a file that goes to the gateway, in bytes.
const maxFile = 1 << 20

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	return text, err
}
