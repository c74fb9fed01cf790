package pubsub

import (
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The texts of errors are the service's own: people search for them, and programs
// have come to read them.
var (
	topicName        = regexp.MustCompile(`^projects/[^/]+/topics/[A-Za-z][-A-Za-z0-9._~%+]{2,254}$`)
	subscriptionName = regexp.MustCompile(`^projects/[^/]+/subscriptions/[A-Za-z][-A-Za-z0-9._~%+]{2,254}$`)
	projectName      = regexp.MustCompile(`^projects/[^/]+$`)
)

// deletedTopic stands in a subscription whose topic is gone.
const deletedTopic = "_deleted-topic_"

func checkName(name string, grammar *regexp.Regexp) error {
	if grammar.MatchString(name) && !strings.HasPrefix(short(name), "goog") {
		return nil
	}
	return status.Errorf(codes.InvalidArgument, "Invalid resource name given (name=%s). Refer to "+
		"https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more information.", name)
}

// short is the last part of a resource's name.
func short(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// project is the part before the kind of the resource.
func project(name string) string {
	parts := strings.SplitN(name, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func errNotFound(name string) error {
	return status.Errorf(codes.NotFound, "Resource not found (resource=%s).", short(name))
}

func errExists(name string) error {
	return status.Errorf(codes.AlreadyExists, "Resource already exists in the project (resource=%s).", short(name))
}

func errArgument(field string) error {
	return status.Errorf(codes.InvalidArgument, "You have passed an invalid argument to the service (argument=%s).", field)
}

func errTooLarge(field string, got, limit int) error {
	return status.Errorf(codes.InvalidArgument,
		"The value for %s is too large. You passed %d in the request, but the maximum value is %d.", field, got, limit)
}

func errTooSmall(field string, got, limit int) error {
	return status.Errorf(codes.InvalidArgument,
		"The value for %s is too small. You passed %d in the request, but the minimum value is %d.", field, got, limit)
}

func errUnserved(what string) error {
	return status.Errorf(codes.Unimplemented, "the local Pub/Sub does not serve %s", what)
}
