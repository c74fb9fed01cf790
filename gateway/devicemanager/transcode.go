package devicemanager

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// standard are the query parameters that belong to Google's HTTP interface and not
// to a method. https://cloud.google.com/apis/docs/system-parameters
var standard = []string{"$alt", "alt", "$prettyPrint", "prettyPrint", "$fields", "fields", "$.xgafv", "$key", "key", "quotaUser", "$userProject", "uploadType", "upload_protocol"}

// fill makes m the request that an HTTP request stands for: the body, then the
// query, then the path, which has the last word, even if the others are wrong.
func (r *route) fill(m proto.Message, resource string, query url.Values, body []byte) error {
	err := r.fillBody(m, body)
	if err == nil {
		err = r.fillQuery(m, query)
	}
	if !utf8.ValidString(resource) {
		resource = ""
	}
	of, name := r.variable.in(m.ProtoReflect())
	of.Set(name, protoreflect.ValueOfString(resource))
	return err
}

func (r *route) fillQuery(m proto.Message, query url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if slices.Contains(standard, name) {
			continue
		}
		path := fieldAt(m.ProtoReflect().Descriptor(), name)
		if path == nil || r.body == "*" || r.bound(path[0]) {
			return invalid("query", "has a parameter that the method does not take there")
		}
		if err := set(m.ProtoReflect(), path, query[name]); err != nil {
			return err
		}
	}
	return nil
}

// bound says that the path or the body has the field.
func (r *route) bound(f protoreflect.FieldDescriptor) bool {
	return f == r.variable[0] || string(f.Name()) == r.body
}

func (r *route) fillBody(m proto.Message, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	switch r.body {
	case "":
		return nil // clients send {} with anything
	case "*":
	default:
		field := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(r.body))
		m = m.ProtoReflect().Mutable(field).Message().Interface()
	}
	// What is not known is not passed over: a misspelt "blocked" would unblock.
	if err := protojson.Unmarshal(body, m); err != nil {
		return invalid("body", "is not the JSON of a "+string(m.ProtoReflect().Descriptor().Name())+": "+printable(err.Error()))
	}
	return nil
}

// printable is s as far as one line of an answer has room for it.
func printable(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// set sets a field to a query parameter's values.
func set(m protoreflect.Message, path fieldPath, values []string) error {
	m, last := path.in(m)
	one := last.ContainingOneof()
	if !last.IsList() && (len(values) != 1 || m.Has(last)) || one != nil && m.WhichOneof(one) != nil {
		return invalid(string(last.Name()), "is given more than once, or beside what it excludes")
	}
	for _, text := range values {
		v, ok := scalar(last, text)
		switch {
		case !ok:
			return invalid(string(last.Name()), "has a value that it cannot have")
		case last.IsList():
			m.Mutable(last).List().Append(v)
		default:
			m.Set(last, v)
		}
	}
	return nil
}

// in is the message that has the last field of the path, made if need be.
func (p fieldPath) in(m protoreflect.Message) (protoreflect.Message, protoreflect.FieldDescriptor) {
	last := len(p) - 1
	for _, f := range p[:last] {
		m = m.Mutable(f).Message()
	}
	return m, p[last]
}

const maskName = "google.protobuf.FieldMask"

// scalar reads a query parameter. Of messages there are only field masks.
func scalar(f protoreflect.FieldDescriptor, text string) (v protoreflect.Value, ok bool) {
	var err error
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), utf8.ValidString(text)
	case protoreflect.Int32Kind:
		var n int64
		n, err = strconv.ParseInt(text, 10, 32)
		v = protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint64Kind:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v = protoreflect.ValueOfUint64(n)
	case protoreflect.EnumKind:
		if named := f.Enum().Values().ByName(protoreflect.Name(text)); named != nil {
			return protoreflect.ValueOfEnum(named.Number()), true
		}
		var n int64
		n, err = strconv.ParseInt(text, 10, 32)
		v = protoreflect.ValueOfEnum(protoreflect.EnumNumber(n))
	case protoreflect.MessageKind:
		if f.Message().FullName() != maskName || !utf8.ValidString(text) {
			return v, false
		}
		mask := &fieldmaskpb.FieldMask{}
		if text != "" {
			mask.Paths = strings.Split(text, ",")
		}
		return protoreflect.ValueOfMessage(mask.ProtoReflect()), true
	default:
		return v, false
	}
	return v, err == nil
}
