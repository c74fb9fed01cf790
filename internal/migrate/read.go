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

var errLong = errors.New("one device, or one page of them, is too long: want less than 64 MiB")

// Read yields the devices of a file: one JSON array of them, or objects one after the
// other, each a device or a page. It ends with the first error.
func Read(r io.Reader) iter.Seq2[Device, error] { return read(r, maxObject) }

// read takes so many bytes for one object at the most.
func read(r io.Reader, most int) iter.Seq2[Device, error] {
	return func(yield func(Device, error) bool) {
		objects, err := openObjects(r, most)
		for n := 1; err == nil; n++ {
			var raw json.RawMessage
			if raw, err = objects.next(); errors.Is(err, io.EOF) {
				return
			}
			var devices []Device
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

// objects are the values of a file: of its one array, or one after the other.
type objects struct {
	decoder *json.Decoder
	file    *bounded
	most    int
	array   bool
}

func openObjects(r io.Reader, most int) (*objects, error) {
	o := &objects{file: &bounded{r: bufio.NewReader(r), left: most}, most: most}
	first, err := o.file.first()
	if err != nil {
		return nil, err
	}
	o.decoder = json.NewDecoder(o.file)
	if o.array = first == '['; o.array {
		_, err = o.decoder.Token()
	}
	return o, err
}

// next returns io.EOF after the last one.
func (o *objects) next() (raw json.RawMessage, err error) {
	o.file.left = o.most
	if o.array && !o.decoder.More() {
		if _, err := o.decoder.Token(); errors.Is(err, io.EOF) {
			return nil, errors.New("the file ends in the middle")
		} else if err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	err = o.decoder.Decode(&raw)
	return raw, err
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

// first is the first byte that is no white space; it stays to be read.
func (b *bounded) first() (byte, error) {
	for range maxObject {
		next, err := b.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, errors.New("empty")
		case err != nil:
			return 0, err
		case next != ' ' && next != '\t' && next != '\r' && next != '\n':
			return next, b.r.UnreadByte()
		}
	}
	return 0, errLong
}

// number reads a device's number.
func number(id string) (uint64, bool) {
	if !schema.ValidNumID(id) {
		return 0, false
	}
	n, err := strconv.ParseUint(id, 10, 64)
	return n, err == nil
}
