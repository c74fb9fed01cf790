package sensor

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"iotbridge/device"
)

const (
	outputBytes = 64 << 10
	maxDepth    = 16 // the object itself is 1, as in a message's body
)

// parseOutput reads a number in °C, or a JSON object with a member temperature. The
// other members are kept as they came. The JSON is strict: UTF-8, no name twice.
func parseOutput(text []byte) (device.Sample, *Error) {
	text = bytes.Trim(text, " \t\r\n") // what JSON takes for blank
	switch {
	case len(text) == 0:
		return device.Sample{}, fault(Format, "the command printed nothing: a number or a JSON object is expected")
	case len(text) > outputBytes:
		return device.Sample{}, fault(Format, "the command printed more than %d bytes", outputBytes)
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if text[0] != '{' {
		value, err := d.ReadValue()
		if err == nil && value.Kind() == '0' && d.InputOffset() == int64(len(text)) {
			return celsius(value, nil)
		}
		return device.Sample{}, fault(Format, "the command printed neither a number nor a JSON object: %s", clip(strconv.QuoteToASCII(string(text)), 60))
	}
	return parseObject(d)
}

func parseObject(d *jsontext.Decoder) (device.Sample, *Error) {
	broken := func(err error) (device.Sample, *Error) {
		return device.Sample{}, fault(Format, "the command's JSON: %s", clip(err.Error(), 200))
	}
	if _, err := d.ReadToken(); err != nil {
		return broken(err)
	}
	var temperature jsontext.Value
	var extra []byte
	for d.PeekKind() == '"' {
		name, err := d.ReadValue()
		if err != nil {
			return broken(err)
		}
		name = slices.Clone(name) // the decoder's until the next read
		value, err := d.ReadValue()
		if err != nil {
			return broken(err)
		}
		if depth(value) >= maxDepth {
			return broken(errors.New("nested deeper than 16"))
		}
		if unquoted, err := jsontext.AppendUnquote(nil, name); err == nil && string(unquoted) == "temperature" {
			temperature = slices.Clone(value)
			continue
		}
		if extra != nil {
			extra = append(extra, ',')
		}
		extra = append(append(append(extra, name...), ':'), value...)
	}
	if _, err := d.ReadToken(); err != nil {
		return broken(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return broken(errors.New("something follows the object"))
	}
	if temperature.Kind() != '0' {
		return broken(errors.New("no member temperature that is a number"))
	}
	return celsius(temperature, extra)
}

// celsius reads a number that JSON's grammar has taken.
func celsius(number jsontext.Value, extra []byte) (device.Sample, *Error) {
	value, err := strconv.ParseFloat(string(number), 64)
	if err != nil || math.IsInf(value, 0) {
		return device.Sample{}, fault(Range, "the command printed a number too large for 64 bits")
	}
	return device.Sample{Temperature: value + 0, Extra: extra}, nil // −0 is 0
}

// depth is how deep the containers of a valid value are nested.
func depth(value jsontext.Value) int {
	now, most := 0, 0
	inString := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
