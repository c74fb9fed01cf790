package operators

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"

	"go.uber.org/zap"

	"iotbridge/internal/watched"
)

// File is the operators, as the file has them now.
type File struct {
	entries *watched.File[[]entry]
}

// entry is one line.
type entry struct {
	Operator
	token [sha256.Size]byte
	cert  bool // a certificate proves it, no token
}

// Open reads the file for the first time.
func Open(path string) (*File, error) {
	entries, err := watched.Open(path, parse)
	if err != nil {
		return nil, err
	}
	return &File{entries}, nil
}

// Watch keeps it fresh until ctx ends.
func (f *File) Watch(ctx context.Context, log *zap.Logger) { f.entries.Watch(ctx, log) }

const certificate = "certificate"

var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9][-A-Za-z0-9._@+]{0,63}$`)
	withinForm = regexp.MustCompile(`^projects/[^/]+(/locations/[^/]+(/registries/[^/]+)?)?$`)
)

// parse reads all lines, or none: its errors name the line and quote nothing of it
// but the name.
func parse(raw []byte) ([]entry, error) {
	var entries []entry
	names, proofs := map[string]bool{}, map[[sha256.Size]byte]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		e, err := parseLine(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if names[e.Name] {
			return nil, fmt.Errorf("line %d: a second %s", n, e.Name)
		}
		if other := proofs[e.token]; other != "" && !e.cert {
			return nil, fmt.Errorf("line %d: %s has the token of %s", n, e.Name, other)
		}
		names[e.Name], proofs[e.token] = true, e.Name
		entries = append(entries, e)
	}
	return entries, lines.Err()
}

func parseLine(words []string) (e entry, err error) {
	if len(words) < 3 || len(words) > 4 {
		return entry{}, fmt.Errorf("%d words: want a name, a role, the SHA-256 of a token or %q, and perhaps what it is within", len(words), certificate)
	}
	e.Name, e.Role = words[0], roles[words[1]]
	if !nameForm.MatchString(e.Name) {
		return entry{}, fmt.Errorf("the name: want up to 64 of A-Z a-z 0-9 - . _ @ +")
	}
	if e.Role == 0 {
		return entry{}, fmt.Errorf("the role of %s: want admin or viewer", e.Name)
	}
	if e.cert = words[2] == certificate; !e.cert {
		sum, err := hex.DecodeString(words[2])
		if err != nil || len(sum) != len(e.token) {
			return entry{}, fmt.Errorf("the proof of %s: want the SHA-256 of a token, 64 hex digits, or %q", e.Name, certificate)
		}
		e.token = [sha256.Size]byte(sum)
	}
	if len(words) == 4 {
		if e.Within = words[3]; !withinForm.MatchString(e.Within) {
			return entry{}, fmt.Errorf("the bound of %s: want projects/P, projects/P/locations/L or projects/P/locations/L/registries/R", e.Name)
		}
	}
	return e, nil
}
