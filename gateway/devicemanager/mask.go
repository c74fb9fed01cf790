package devicemanager

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// mutable is what an update may change: a path as protos spell it, and the field
// that is set for it.
type mutable map[string]string

// of are the fields that an update mask names.
func (m mutable) of(mask *fieldmaskpb.FieldMask) ([]string, error) {
	if len(mask.GetPaths()) == 0 {
		return nil, invalid("update_mask", "is required")
	}
	fields := map[string]bool{}
	for _, path := range mask.GetPaths() {
		field := m[snake(path)]
		if field == "" {
			return nil, invalid("update_mask", "may name "+strings.Join(m.all(), ", ")+", and nothing else")
		}
		fields[field] = true
	}
	return slices.Sorted(maps.Keys(fields)), nil
}

// all are all fields.
func (m mutable) all() []string {
	return slices.Compact(slices.Sorted(maps.Values(m)))
}

// snake spells a path as protos do: REST clients write lastEventTime, but are told to
// write last_event_time.
func snake(path string) string {
	var out strings.Builder
	for i := range len(path) {
		if c := path[i]; 'A' <= c && c <= 'Z' {
			out.WriteString("_" + string(c|0x20))
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// readMask is the paths of a message that are asked for, none for all.
func readMask(of proto.Message, mask *fieldmaskpb.FieldMask, always ...string) ([]string, error) {
	if len(mask.GetPaths()) == 0 {
		return nil, nil
	}
	paths := slices.Clone(always)
	for _, path := range mask.GetPaths() {
		paths = append(paths, snake(path))
	}
	asked, err := fieldmaskpb.New(of, paths...)
	if err != nil {
		return nil, invalid("field_mask", "names a field that there is not")
	}
	asked.Normalize() // no more paths than there are fields
	return asked.GetPaths(), nil
}

// keep clears what no path names.
func keep(m protoreflect.Message, paths []string) {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		var below []string
		for _, path := range paths {
			name, rest, deeper := strings.Cut(path, ".")
			if name != string(f.Name()) {
				continue
			}
			if !deeper {
				return true
			}
			below = append(below, rest)
		}
		if below == nil {
			m.Clear(f)
		} else {
			keep(v.Message(), below)
		}
		return true
	})
}
