package device

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a body may be nested, the body itself being 1.
const maxDepth = 16

// ours are the members that the agent writes itself. Another spelling of one of them
// would be taken for it by a reader that folds names, and the worker refuses that.
var ours = []string{"device_id", "timestamp", "temperature", "reading_id", "probe", "suspect", "clock", "gap"}

// cleanExtra returns a sensor's further members in one form that each reader of JSON
// understands alike, and the names of those that were left out: ours, and second
// ones. Members that are no JSON, too many or too deep are an error.
func cleanExtra(extra []byte) (clean []byte, left []string, err error) {
	if len(bytes.TrimSpace(extra)) == 0 {
		return nil, nil, nil
	}
	if len(extra) > maxExtra {
		return nil, nil, fmt.Errorf("further members of %d bytes, the most is %d", len(extra), maxExtra)
	}
	object := make([]byte, 0, len(extra)+2)
	object = append(append(append(object, '{'), extra...), '}')
	seen := map[string]bool{}
	var out bytes.Buffer
	err = eachMember(object, func(name string, value json.RawMessage) error {
		if seen[name] || isOurs(name) {
			left = append(left, name)
			return nil
		}
		seen[name] = true
		if out.Len() > 0 {
			out.WriteByte(',')
		}
		if err := encodeOnto(&out, name); err != nil {
			return err
		}
		out.WriteByte(':')
		v, err := decodeAny(value)
		if err != nil {
			return err
		}
		return encodeOnto(&out, v)
	})
	if err != nil {
		return nil, nil, fmt.Errorf("further members: %w", err)
	}
	if out.Len() > maxExtra {
		return nil, nil, fmt.Errorf("further members of %d bytes, the most is %d", out.Len(), maxExtra)
	}
	return out.Bytes(), left, nil
}

func isOurs(name string) bool {
	for _, o := range ours {
		if strings.EqualFold(o, name) {
			return true
		}
	}
	return false
}

// encodeOnto writes v as JSON on one line; < and & stay as they are.
func encodeOnto(out *bytes.Buffer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the line's end
	return nil
}

// decodeAny keeps the text of numbers; of two members of one name the last counts.
func decodeAny(value json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// eachMember calls f with each member of a JSON object, in order, names unescaped.
func eachMember(object []byte, f func(name string, value json.RawMessage) error) error {
	switch {
	case !utf8.Valid(object):
		return errors.New("not UTF-8")
	case !json.Valid(object):
		return errors.New("not JSON")
	case depth(object) > maxDepth:
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return errors.New("not a JSON object")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

// depth is how deep a valid JSON text is nested.
func depth(text []byte) (most int) {
	now, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
