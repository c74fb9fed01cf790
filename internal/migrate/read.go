package migrate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"iotbridge/schema"
)

// maxObject bounds what one device or one page takes of a file, in bytes.
const maxObject = 64 << 20

var errLong = fmt.Errorf("one object has more than %d bytes", maxObject)

// Read yields the devices of a file: one JSON array of them, or objects one after the
// other, each a device or a page. It ends with the first error.
func Read(r io.Reader) iter.Seq2[Device, error] {
	return func(yield func(Device, error) bool) {
		bounded := &bounded{r: bufio.NewReader(r)}
		decoder := json.NewDecoder(bounded)
		array, err := bounded.opens('[')
		if err == nil && array {
			_, err = decoder.Token()
		}
		for n := 1; err == nil; n++ {
			if array && !decoder.More() {
				return
			}
			bounded.left = maxObject
			var raw json.RawMessage
			var devices []Device
			if err = decoder.Decode(&raw); errors.Is(err, io.EOF) && !array {
				return
			}
			if err == nil {
				devices, err = parse(raw)
			}
			for _, d := range devices {
				if !yield(d, nil) {
					return
				}
			}
			if err != nil {
				err = fmt.Errorf("object %d: %w", n, err)
			}
		}
		yield(Device{}, err)
	}
}

// bounded is a file of which only so much may be read.
type bounded struct {
	r    *bufio.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// opens says whether the file begins with c, after white space.
func (b *bounded) opens(c byte) (bool, error) {
	b.left = maxObject
	for {
		next, err := b.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return false, errors.New("empty")
		case err != nil:
			return false, err
		case next == ' ' || next == '\t' || next == '\r' || next == '\n':
			continue
		}
		return next == c, b.r.UnreadByte()
	}
}

// number reads a device's number.
func number(id string) (uint64, bool) {
	if !schema.ValidNumID(id) {
		return 0, false
	}
	n, err := strconv.ParseUint(id, 10, 64)
	return n, err == nil
}
