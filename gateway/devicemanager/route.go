package devicemanager

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// route is one google.api.http rule: POST /v1/{name=projects/*/…}/states:verb.
// https://github.com/googleapis/googleapis/blob/master/google/api/http.proto
type route struct {
	rpc      *grpc.MethodDesc
	method   string   // of HTTP
	segments []string // "*" is any one
	verb     string
	variable fieldPath // that gets the segments from … to
	from, to int
	body     string // a field's name, "*" for the whole message, or ""
}

// fieldPath leads from a request to a field of it.
type fieldPath []protoreflect.FieldDescriptor

var (
	service   = iotpb.File_google_cloud_iot_v1_device_manager_proto.Services().ByName("DeviceManager")
	routes    = compile()
	resources = named(routes)
)

// compile reads the rules of all methods. It panics on one that it does not
// understand: the rules are part of the program.
func compile() (all []*route) {
	for i := range iotpb.DeviceManager_ServiceDesc.Methods {
		rpc := &iotpb.DeviceManager_ServiceDesc.Methods[i]
		method := service.Methods().ByName(protoreflect.Name(rpc.MethodName))
		rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			all = append(all, compileRule(rpc, method.Input(), r))
		}
	}
	return all
}

func compileRule(rpc *grpc.MethodDesc, input protoreflect.MessageDescriptor, rule *annotations.HttpRule) *route {
	r := &route{rpc: rpc, body: rule.GetBody()}
	template := ""
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		r.method, template = http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		r.method, template = http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		r.method, template = http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		r.method, template = http.MethodDelete, p.Delete
	}
	before, rest, open := strings.Cut(strings.TrimPrefix(template, "/"), "{")
	name, rest, assigned := strings.Cut(rest, "=")
	pattern, after, closed := strings.Cut(rest, "}")
	if !open || !assigned || !closed || strings.Contains(after, "{") {
		panic(fmt.Sprintf("%s: the rule %q has not one variable", rpc.MethodName, template))
	}
	after, r.verb, _ = strings.Cut(after, ":")
	r.segments = strings.Split(before+pattern+after, "/")
	r.from = strings.Count(before, "/")
	r.to = r.from + strings.Count(pattern, "/") + 1
	r.variable = fieldAt(input, name)
	if r.variable == nil {
		panic(fmt.Sprintf("%s: %s has no field %s", rpc.MethodName, input.Name(), name))
	}
	return r
}

// named is where each method's request has its resource name.
func named(all []*route) map[string]fieldPath {
	paths := map[string]fieldPath{}
	for _, r := range all {
		paths[r.rpc.MethodName] = r.variable
	}
	return paths
}

// fieldAt follows a dotted path, in the spelling of protos or of JSON; nil if it
// leads nowhere, or through a list, a map or a mask.
func fieldAt(m protoreflect.MessageDescriptor, dotted string) (path fieldPath) {
	for part := range strings.SplitSeq(dotted, ".") {
		if m == nil {
			return nil
		}
		f := m.Fields().ByName(protoreflect.Name(part))
		if f == nil {
			f = m.Fields().ByJSONName(part)
		}
		if f == nil {
			return nil
		}
		path = append(path, f)
		if m = f.Message(); f.IsList() || f.IsMap() || m != nil && m.FullName() == maskName {
			m = nil
		}
	}
	return path
}

// find returns the route of a request, and its variable's value; nil when there is
// none. path is as it came, escaped.
func find(method, path string) (*route, string) {
	path, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, ""
	}
	verb := ""
	if at := strings.LastIndexByte(path, ':'); at > strings.LastIndexByte(path, '/') {
		path, verb = path[:at], path[at+1:]
	}
	segments := strings.Split(path, "/")
	for _, r := range routes {
		if r.method == method && r.verb == verb && r.matches(segments) {
			return r, r.value(segments)
		}
	}
	return nil, ""
}

func (r *route) matches(segments []string) bool {
	if len(segments) != len(r.segments) {
		return false
	}
	for i, want := range r.segments {
		if got := segments[i]; got != want && (want != "*" || got == "") {
			return false
		}
	}
	return true
}

// value is the variable's segments, each unescaped; one that would be two is not a
// name of anything.
func (r *route) value(segments []string) string {
	parts := make([]string, 0, r.to-r.from)
	for _, s := range segments[r.from:r.to] {
		part, err := url.PathUnescape(s)
		if err != nil || strings.Contains(part, "/") {
			return ""
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/")
}
