package sensor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const attributeBytes = 4096 // a sysfs attribute is at most a page

var probeName = regexp.MustCompile(`^28-[0-9a-f]{12}$`)

// tree is the kernel's folder of 1-wire slaves. Each slave is a symbolic link, and
// followed; what it is called is held against probeName before it becomes a path.
type tree struct {
	root string
	read func(path string, buf []byte) (int, error)
}

// measure asks the driver for one conversion, and again when the answer was garbled.
func (t tree) measure(ctx context.Context, name string) (c conversion) {
	if c.err = t.isItself(name); c.err != nil {
		return c
	}
	for range attempts {
		c.milli, c.err = t.convert(name)
		garbled := c.err != nil && (c.err.Class == CRC || interrupted(c.err))
		if !garbled || ctx.Err() != nil {
			break
		}
	}
	if c.err == nil && c.milli == powerOn {
		c.checked = t.checksConversion(name)
	}
	return c
}

// convert reads w1_slave, or temperature where there is none.
func (t tree) convert(name string) (int, *Error) {
	text, err := t.attribute(name, "w1_slave")
	if err == nil {
		return parseW1Slave(text)
	}
	if err.Class != Missing {
		return 0, err
	}
	text, missing := t.attribute(name, "temperature")
	if missing != nil {
		return 0, missing
	}
	if len(text) == 0 {
		return 0, fault(Format, "temperature is empty: the driver had no answer from the probe")
	}
	return parseMilli(string(text))
}

// isItself compares the ROM id in the file id with the name, where there is such a
// file: two probes whose folders were swapped would give each other's readings.
func (t tree) isItself(name string) *Error {
	rom, _ := t.attribute(name, "id") // that the probe is gone will show
	if len(rom) != 8 {
		return nil
	}
	// Family, the number's lowest byte first, checksum.
	number := slices.Clone(rom[1:7])
	slices.Reverse(number)
	if is := fmt.Sprintf("%02x-%x", rom[0], number); is != name {
		return fault(Format, "its file id says %s", is)
	}
	return nil
}

// checksConversion: bit 1 of features makes the driver refuse the power-on value
// itself (Linux, Documentation/ABI/testing/sysfs-driver-w1_therm).
func (t tree) checksConversion(name string) bool {
	text, err := t.attribute(name, "features")
	if err != nil {
		return false
	}
	bits, notNumber := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	return notNumber == nil && bits&1 != 0
}

// attribute reads one of a probe's files.
func (t tree) attribute(name, file string) ([]byte, *Error) {
	buf := make([]byte, attributeBytes+1)
	n, err := t.read(filepath.Join(t.root, name, file), buf)
	switch {
	case err != nil && gone(err):
		return nil, fault(Missing, "%w", err)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fault(IO, "%w", err)
	case n > attributeBytes:
		return nil, fault(Format, "%s has more than %d bytes", file, attributeBytes)
	}
	return buf[:n], nil
}

// list returns the names of the probes, in order. It touches no wire: the kernel
// searches its buses by itself.
func (t tree) list() ([]string, *Error) {
	folder, err := os.Open(t.root)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fault(Missing, "%w: enable 1-wire (dtoverlay=w1-gpio in the boot configuration; modprobe w1-gpio w1-therm)", err)
	case err != nil:
		return nil, fault(IO, "%w", err)
	}
	defer folder.Close()
	var names []string
	for {
		some, err := folder.Readdirnames(256)
		for _, name := range some {
			if probeName.MatchString(name) {
				names = append(names, name)
			}
		}
		if len(names) > maxProbes {
			return nil, fault(Format, "%s shows more than %d probes", t.root, maxProbes)
		}
		if err == io.EOF {
			slices.Sort(names)
			return names, nil
		}
		if err != nil {
			return nil, fault(IO, "%w", err)
		}
	}
}
