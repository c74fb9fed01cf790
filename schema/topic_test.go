package schema

import (
	"strings"
	"testing"
)

func TestParseTopic(t *testing.T) {
	for text, want := range map[string]Topic{
		"/devices/device1/events":                         {"device1", EventsTopic, ""},
		"/devices/device1/events/a":                       {"device1", EventsTopic, "a"},
		"/devices/device1/events/a/b-1.%/~_":              {"device1", EventsTopic, "a/b-1.%/~_"},
		"/devices/2577321808646966/state":                 {"2577321808646966", StateTopic, ""},
		"/devices/device1/config":                         {"device1", ConfigTopic, ""},
		"/devices/device1/commands/reboot/now":            {"device1", CommandsTopic, "reboot/now"},
		"/devices/gateway-1/attach":                       {"gateway-1", AttachTopic, ""},
		"/devices/gateway-1/detach":                       {"gateway-1", DetachTopic, ""},
		"/devices/gateway-1/errors":                       {"gateway-1", ErrorsTopic, ""},
		"/devices/abc/events/" + strings.Repeat("x", 256): {"abc", EventsTopic, strings.Repeat("x", 256)},
	} {
		got, ok := ParseTopic(text)
		if !ok || got != want {
			t.Errorf("%s: %+v, %v", text, got, ok)
		}
		if got.String() != text {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
	for _, text := range []string{
		"", "/", "devices/device1/events", "/devices/device1", "/devices/device1/", "/devices//events", "//devices/device1/events",
		"/devices/device1/events/", "/devices/device1/events//a", "/devices/device1/events/a/", "/devices/device1/events/a//b",
		"/devices/device1/events/+", "/devices/device1/events/#", "/devices/device1/events/a b", "/devices/device1/events/ä",
		"/devices/device1/state/a", "/devices/device1/config/", "/devices/device1/Events", "/devices/device1/event", "/devices/+/events",
		"/devices/google1/events", "/devices/1/events", "/devices/0577321808646966/events", "/devices/9007199254740992/events",
		"/devices/abc/events/" + strings.Repeat("x", 257), "/devices/device1/events/a\x00", "$SYS/devices/device1/events",
	} {
		if got, ok := ParseTopic(text); ok {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func TestParseFilter(t *testing.T) {
	for text, want := range map[string]bool{
		"/devices/device1/commands/#": true, "/devices/device1/config": true, "/devices/gateway-1/errors": true,
		"/devices/device1/commands": false, "/devices/device1/commands/a": false, "/devices/device1/commands/a/#": false,
		"/devices/device1/commands/+": false, "/devices/device1/config/#": false, "/devices/device1/events": false,
		"/devices/device1/state": false, "#": false, "/devices/+/config": false, "/devices/device1/#": false, "/#": false,
	} {
		if _, ok := ParseFilter(text); ok != want {
			t.Errorf("%s: %v", text, ok)
		}
	}
}

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"abc": true, "a-._~%9": true, "goo": true, "gooG1": true, "Google": true, "agoog": true, "A" + strings.Repeat("9", 254): true,
		"": false, "ab": false, "1ab": false, "-ab": false, "goog": false, "google": false, "a+b": false, "a b": false, "a/b": false,
		"abc ": false, "abc\n": false, "äbc": false, "abс": false /* Cyrillic */, "ab\x00": false, "A" + strings.Repeat("9", 255): false,
	} {
		if ValidID(id) != want || ValidID([]byte(id)) != want {
			t.Errorf("%q is not %v", id, want)
		}
	}
}

func TestValidNumID(t *testing.T) {
	for id, want := range map[string]bool{
		"2577321808646966": true, "9007199254740991": true, "1000000000000000": true,
		"9007199254740992": false, "0577321808646966": false, "257732180864696": false, "25773218086469660": false,
		"257732180864696a": false, "": false, "-577321808646966": false, "٢577321808646966": false,
	} {
		if ValidNumID(id) != want || ValidNumID([]byte(id)) != want {
			t.Errorf("%q is not %v", id, want)
		}
	}
}
