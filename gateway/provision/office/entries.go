package office

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"iotbridge/gateway"
	"iotbridge/gateway/provision"
)

const (
	maxLine      = 4096 // of a list, in bytes
	minSecret    = 16   // of a claim secret
	maxSecret    = 256
	blanks       = " \t\r\n" // no others: a serial does not lose what only looks like one
	entryHeading = "serial,mac,claim_secret_sha256"
)

// LineError is what is wrong in a list, and where.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong.
func (e *LineError) Unwrap() error { return e.Err }

// Is makes a mistake in a list the caller's.
func (e *LineError) Is(target error) bool { return target == gateway.ErrInvalid }

// Syntax says who wrote a list.
type Syntax struct {
	List    provision.List
	Secrets bool // claim secrets may stand in it as they are, and are hashed
}

// Read reads a list: CSV, an entry a line, made canonical. Its first line may name
// the columns: serial, mac, claim_secret, claim_secret_sha256, in any order; without,
// each line is one serial, or one MAC with colons or dots. Empty lines and those that begin with
// # count for nothing. It ends with a *LineError at the first mistake: what is behind it
// is not read, and a line that was cut off because r failed is none.
func (s Syntax) Read(r io.Reader) iter.Seq2[provision.Entry, error] {
	return func(yield func(provision.Entry, error) bool) {
		lines := bufio.NewReaderSize(r, 64<<10)
		p := parser{syntax: s}
		for n := 1; ; n++ {
			raw, err := lines.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull) || len(raw) > maxLine:
				yield(provision.Entry{}, &LineError{n, fmt.Errorf("has more than %d bytes", maxLine)})
				return
			case err != nil && !errors.Is(err, io.EOF):
				yield(provision.Entry{}, &LineError{n, fmt.Errorf("the list ends here: %w", err)})
				return
			}
			e, ok, fault := p.line(raw)
			if fault != nil {
				yield(provision.Entry{}, &LineError{n, fault})
				return
			}
			if ok && !yield(e, nil) || err != nil {
				return
			}
		}
	}
}

// AppendEntry appends a line of a list that begins with AppendEntryHeading's.
func AppendEntry(to []byte, e provision.Entry) []byte {
	to = append(append(append(append(to, e.Serial...), ','), e.MAC...), ',')
	return append(hex.AppendEncode(to, e.Secret), '\n')
}

// AppendEntryHeading appends the names of AppendEntry's columns.
func AppendEntryHeading(to []byte) []byte { return append(to, entryHeading+"\n"...) }

// parser reads lines. columns is nil until the first has come.
type parser struct {
	syntax  Syntax
	columns []column
	comma   byte
}

type column int

const (
	either column = iota // without a heading
	serialColumn
	macColumn
	secretColumn
	hashColumn
)

// spellings are the columns' names, without what parts words.
var spellings = map[string]column{
	"serial": serialColumn, "serialnumber": serialColumn, "mac": macColumn, "macaddress": macColumn,
	"claimsecret": secretColumn, "claimsecretsha256": hashColumn,
}

func columnOf(name string) (column, bool) {
	c, ok := spellings[strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))]
	return c, ok
}

// line reads one; ok is false for one that holds no entry.
func (p *parser) line(raw []byte) (e provision.Entry, ok bool, err error) {
	if p.columns == nil {
		raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	}
	raw = bytes.Trim(raw, blanks)
	if len(raw) == 0 || raw[0] == '#' {
		return e, false, nil
	}
	if p.columns == nil {
		heading, err := p.begin(raw)
		if heading || err != nil {
			return e, false, err
		}
	}
	cells, err := p.cells(raw)
	if err != nil {
		return e, false, err
	}
	if len(cells) != len(p.columns) {
		return e, false, fmt.Errorf("has %d columns, want %d", len(cells), len(p.columns))
	}
	for i, cell := range cells {
		if cell = strings.Trim(cell, blanks); cell == "" {
			continue
		}
		if err := p.set(&e, p.columns[i], cell); err != nil {
			return e, false, err
		}
	}
	switch {
	case e.Serial == "" && e.MAC == "":
		return e, false, errors.New("has neither a serial nor a MAC")
	case e.Serial != "" && e.MAC != "":
		return e, false, errors.New("has a serial and a MAC: an entry is one of them")
	case e.Secret != nil && p.syntax.List != provision.Allow:
		return e, false, errors.New("has a claim secret: only the allow list has them")
	}
	return e, true, nil
}

// begin looks at the first line.
func (p *parser) begin(raw []byte) (heading bool, err error) {
	p.comma = ','
	if bytes.IndexByte(raw, ',') < 0 && bytes.IndexByte(raw, ';') >= 0 {
		p.comma = ';' // as spreadsheets write where the comma is in numbers
	}
	cells, err := p.cells(raw)
	if err != nil {
		return false, err
	}
	if _, ok := columnOf(strings.Trim(cells[0], blanks)); !ok {
		if p.columns = []column{either}; len(cells) > 1 {
			return false, errors.New("has several columns, and nothing names them: let the first line be serial,claim_secret, say")
		}
		return false, nil
	}
	for _, cell := range cells {
		c, ok := columnOf(strings.Trim(cell, blanks))
		if !ok {
			return false, fmt.Errorf("the column %q is none of serial, mac, claim_secret, claim_secret_sha256: take it out", printed(cell))
		}
		if c == secretColumn && !p.syntax.Secrets {
			return false, errors.New("claim secrets are not taken, only claim_secret_sha256: iotbridge provision allow add hashes them")
		}
		for _, other := range p.columns {
			if other == c {
				return false, fmt.Errorf("the column %q is there twice", printed(cell))
			}
		}
		p.columns = append(p.columns, c)
	}
	return true, nil
}

func (p *parser) cells(raw []byte) ([]string, error) {
	if bytes.IndexByte(raw, '"') < 0 {
		return strings.Split(string(raw), string(p.comma)), nil
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.Comma = rune(p.comma)
	cells, err := r.Read()
	if err != nil {
		return nil, errors.New("its quotes are not closed in the line, or stand within a value")
	}
	return cells, nil
}

func (p *parser) set(e *provision.Entry, c column, cell string) (err error) {
	switch c {
	case either:
		*e, err = one(cell)
	case serialColumn:
		e.Serial, err = parsed(provision.ParseSerial(cell))
	case macColumn:
		e.MAC, err = parsed(provision.ParseMAC(cell))
	case secretColumn:
		if len(cell) < minSecret || len(cell) > maxSecret {
			return fmt.Errorf("its claim secret has %d bytes: want %d to %d", len(cell), minSecret, maxSecret)
		}
		sum := sha256.Sum256([]byte(cell))
		return setSecret(e, sum[:])
	default:
		sum, bad := hex.DecodeString(cell)
		if bad != nil || len(sum) != sha256.Size {
			return errors.New("its claim_secret_sha256 is not 64 hexadecimal digits")
		}
		return setSecret(e, sum)
	}
	return err
}

func setSecret(e *provision.Entry, sum []byte) error {
	if e.Secret != nil {
		return errors.New("has a claim secret and the SHA-256 of one: leave one away")
	}
	e.Secret = sum
	return nil
}
