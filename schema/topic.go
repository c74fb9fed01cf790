package schema

import "strings"

// maxSubFolder bounds a subfolder, in bytes.
const maxSubFolder = 256

// TopicKind is what a device's topic is for.
type TopicKind string

// The kinds. A device publishes events, state, attach and detach, and subscribes
// to config, commands and, being a gateway, errors.
const (
	EventsTopic   TopicKind = "events"
	StateTopic    TopicKind = "state"
	ConfigTopic   TopicKind = "config"
	CommandsTopic TopicKind = "commands"
	AttachTopic   TopicKind = "attach"
	DetachTopic   TopicKind = "detach"
	ErrorsTopic   TopicKind = "errors"
)

// Topic is an MQTT topic of the device protocol: /devices/D/KIND, and for events
// and commands /devices/D/KIND/SUBFOLDER.
type Topic struct {
	Device    string // a name or a numeric id
	Kind      TopicKind
	SubFolder string // of events and commands, may have several levels: a/b; "" is none
}

// String is the topic's text.
func (t Topic) String() string {
	s := "/devices/" + t.Device + "/" + string(t.Kind)
	if t.SubFolder != "" {
		s += "/" + t.SubFolder
	}
	return s
}

// ParseTopic takes a topic's text apart; ok is false outside the grammar.
func ParseTopic(s string) (t Topic, ok bool) {
	s, ok = strings.CutPrefix(s, "/devices/")
	device, s, slash := strings.Cut(s, "/")
	if !ok || !slash || !ValidID(device) && !ValidNumID(device) {
		return Topic{}, false
	}
	kind, folder, deeper := strings.Cut(s, "/")
	t = Topic{device, TopicKind(kind), folder}
	switch t.Kind {
	case EventsTopic, CommandsTopic:
		return t, !deeper || ValidSubFolder(folder)
	case StateTopic, ConfigTopic, AttachTopic, DetachTopic, ErrorsTopic:
		return t, !deeper
	}
	return Topic{}, false
}

// ParseFilter takes a subscription's filter apart: /devices/D/config,
// /devices/D/commands/# and /devices/D/errors are all that there are.
func ParseFilter(s string) (t Topic, ok bool) {
	s, wild := strings.CutSuffix(s, "/#")
	t, ok = ParseTopic(s)
	switch t.Kind {
	case CommandsTopic:
		return t, ok && wild && t.SubFolder == ""
	case ConfigTopic, ErrorsTopic:
		return t, ok && !wild
	}
	return Topic{}, false
}

// ValidSubFolder reports whether s is a subfolder: levels of [-A-Za-z0-9._~%]
// between single slashes, 1 to 256 bytes.
func ValidSubFolder(s string) bool {
	for level := range strings.SplitSeq(s, "/") {
		if level == "" {
			return false
		}
		for i := range len(level) {
			if !idBytes[level[i]] {
				return false
			}
		}
	}
	return len(s) <= maxSubFolder
}
