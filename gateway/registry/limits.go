package registry

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"iotbridge/gateway"
	"iotbridge/schema"
)

// The limits that IoT Core documented, and ours on what it did not measure.
const (
	maxRoutes      = 10
	maxAuthorities = 10
	maxCredentials = 3
	maxPEM         = 16 << 10 // ours
	maxSubFolder   = 256

	maxPairs    = 500
	maxKey      = 128
	maxValue    = 32 << 10
	maxMetadata = 256 << 10

	maxConfig  = 64 << 10
	maxState   = 64 << 10
	maxCommand = 256 << 10
	keptConfig = 10 // versions
	keptStates = 10

	maxBoundDevices  = 10_000 // of a gateway
	maxBoundGateways = 10     // of a device
	maxListed        = 10_000 // ids in a filter
)

var (
	project     = regexp.MustCompile(`^[a-z][-a-z0-9.:]{1,126}[a-z0-9]$`) // legacy ones have a domain before a colon
	location    = regexp.MustCompile(`^[a-z][-a-z0-9]{0,62}$`)
	topic       = regexp.MustCompile(`^projects/[a-z][-a-z0-9.:]{1,126}[a-z0-9]/topics/[A-Za-z][-A-Za-z0-9._~%+]{2,254}$`)
	subFolder   = regexp.MustCompile(`^[-A-Za-z0-9._~%+]+(/[-A-Za-z0-9._~%+]+)*$`)
	metadataKey = regexp.MustCompile(`^[A-Za-z][-A-Za-z0-9_.+~%]*$`)
)

// known says whether a registry can have that key: no other reaches the database.
func known(k gateway.RegistryKey) bool {
	return project.MatchString(k.Project) && location.MatchString(k.Location) && schema.ValidID(k.Registry)
}

func invalid(field, format string, args ...any) error {
	return &gateway.InvalidError{Field: field, Reason: fmt.Sprintf(format, args...)}
}

func checkRegistry(r *gateway.Registry) error {
	switch {
	case !project.MatchString(r.Key.Project):
		return invalid("parent", "the project is not a project id")
	case !location.MatchString(r.Key.Location):
		return invalid("parent", "the location is not a location's name")
	case !schema.ValidID(r.Key.Registry):
		return invalid("id", "want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %%, not beginning with goog")
	case len(r.Routes) > maxRoutes:
		return invalid("event_notification_configs", "has %d entries, want at most %d", len(r.Routes), maxRoutes)
	case r.StateTopic != "" && !topic.MatchString(r.StateTopic):
		return invalid("state_notification_config.pubsub_topic_name", "want projects/PROJECT/topics/TOPIC")
	case len(r.Authorities) > maxAuthorities:
		return invalid("credentials", "has %d entries, want at most %d", len(r.Authorities), maxAuthorities)
	}
	for _, route := range r.Routes {
		if !topic.MatchString(route.Topic) {
			return invalid("event_notification_configs", "want projects/PROJECT/topics/TOPIC as topic")
		}
		if !validSubFolder(route.SubFolder) {
			return invalid("event_notification_configs", subFolderRule)
		}
	}
	for _, pem := range r.Authorities {
		if err := checkPEM(pem); err != nil {
			return err
		}
	}
	return checkLogLevel(r.LogLevel)
}

const subFolderRule = "want a subfolder as a/b of A-Z a-z 0-9 - . _ ~ %% +, at most 256 bytes"

func validSubFolder(s string) bool {
	return s == "" || len(s) <= maxSubFolder && subFolder.MatchString(s)
}

func checkDevice(d *gateway.Device) error {
	if !schema.ValidID(d.Key.Device) {
		return invalid("id", "want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %%, not beginning with goog")
	}
	if len(d.Credentials) > maxCredentials {
		return invalid("credentials", "has %d entries, want at most %d", len(d.Credentials), maxCredentials)
	}
	for _, c := range d.Credentials {
		if c.Format < gateway.RSAX509 || c.Format > gateway.ES256X509 {
			return invalid("credentials", "format %d is not known", c.Format)
		}
		if err := checkPEM(c.PEM); err != nil {
			return err
		}
	}
	if d.AuthMethod < 0 || d.AuthMethod > gateway.AssociationAndDeviceToken || d.AuthMethod != 0 && !d.IsGateway {
		return invalid("gateway_config.gateway_auth_method", "%d is not for this device", d.AuthMethod)
	}
	if err := checkMetadata(d.Metadata); err != nil {
		return err
	}
	return checkLogLevel(d.LogLevel)
}

// checkPEM only measures: whether it is a key is decided where keys are read.
func checkPEM(pem string) error {
	if pem == "" || len(pem) > maxPEM || !utf8.ValidString(pem) {
		return invalid("credentials", "want PEM text of at most %d bytes", maxPEM)
	}
	return nil
}

func checkMetadata(m map[string]string) error {
	if len(m) > maxPairs {
		return invalid("metadata", "has %d pairs, want at most %d", len(m), maxPairs)
	}
	total := 0
	for k, v := range m {
		total += len(k) + len(v)
		switch {
		case len(k) > maxKey || !metadataKey.MatchString(k):
			return invalid("metadata", "a key is a letter and A-Z a-z 0-9 - _ . + ~ %%, at most %d bytes", maxKey)
		case len(v) > maxValue:
			return invalid("metadata", "a value has %d bytes, want at most %d", len(v), maxValue)
		case !utf8.ValidString(v):
			return invalid("metadata", "a value is not UTF-8")
		}
	}
	if total > maxMetadata {
		return invalid("metadata", "has %d bytes, want at most %d", total, maxMetadata)
	}
	return nil
}

func checkLogLevel(l gateway.LogLevel) error {
	switch l {
	case gateway.LogUnset, gateway.LogNone, gateway.LogError, gateway.LogInfo, gateway.LogDebug:
		return nil
	}
	return invalid("log_level", "%d is not known", l)
}

func checkSize(field string, data []byte, most int) error {
	if len(data) > most {
		return invalid(field, "has %d bytes, want at most %d", len(data), most)
	}
	return nil
}
