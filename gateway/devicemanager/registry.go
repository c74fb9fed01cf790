package devicemanager

import (
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"iotbridge/gateway"
	"iotbridge/gateway/auth"
)

const idForm = "want a letter and 2 to 254 of A-Z a-z 0-9 - . _ ~ %, not beginning with goog"

var registryFields = mutable{
	"event_notification_configs":                  "event_notification_configs",
	"state_notification_config":                   "state_notification_config",
	"state_notification_config.pubsub_topic_name": "state_notification_config",
	"mqtt_config":                                 "mqtt_config",
	"mqtt_config.mqtt_enabled_state":              "mqtt_config",
	"http_config":                                 "http_config",
	"http_config.http_enabled_state":              "http_config",
	"log_level":                                   "log_level",
	"credentials":                                 "credentials",
}

// changeRegistry sets the fields as they are given.
func changeRegistry(r *gateway.Registry, given *iotpb.DeviceRegistry, fields []string, now time.Time) (err error) {
	for _, field := range fields {
		switch field {
		case "event_notification_configs":
			r.Routes = nil
			for _, c := range given.GetEventNotificationConfigs() {
				r.Routes = append(r.Routes, gateway.Route{SubFolder: c.GetSubfolderMatches(), Topic: c.GetPubsubTopicName()})
			}
		case "state_notification_config":
			r.StateTopic = given.GetStateNotificationConfig().GetPubsubTopicName()
		case "mqtt_config":
			r.MQTT = given.GetMqttConfig().GetMqttEnabledState() != iotpb.MqttState_MQTT_DISABLED
		case "http_config":
			r.HTTP = given.GetHttpConfig().GetHttpEnabledState() != iotpb.HttpState_HTTP_DISABLED
		case "log_level":
			r.LogLevel = gateway.LogLevel(given.GetLogLevel())
		case "credentials":
			if r.Authorities, err = readAuthorities(r.Authorities, given.GetCredentials(), now); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxAuthorities bounds what is parsed; the store has the same bound.
const maxAuthorities = 10

// readAuthorities reads the certificates of a registry. One that it has already is not
// checked again: it may have ended since.
func readAuthorities(had []string, given []*iotpb.RegistryCredential, now time.Time) ([]string, error) {
	if len(given) > maxAuthorities {
		return nil, invalid("credentials", fmt.Sprintf("%d of them: a registry has at most %d", len(given), maxAuthorities))
	}
	var list []string
	for i, c := range given {
		cert := c.GetPublicKeyCertificate()
		if cert.GetFormat() != iotpb.PublicKeyCertificateFormat_X509_CERTIFICATE_PEM {
			return nil, invalid("credentials", fmt.Sprintf("number %d: the format of a registry's is X509_CERTIFICATE_PEM", i))
		}
		if !slices.Contains(had, cert.GetCertificate()) {
			if _, err := auth.RegisterAuthority(cert.GetCertificate(), now); err != nil {
				return nil, invalid("credentials", fmt.Sprintf("number %d: %v", i, err))
			}
		}
		list = append(list, cert.GetCertificate())
	}
	return list, nil
}

// registryMessage is a registry as clients see it; of none, none.
func registryMessage(r *gateway.Registry) *iotpb.DeviceRegistry {
	if r == nil {
		return nil
	}
	m := &iotpb.DeviceRegistry{
		Id:                      r.Key.Registry,
		Name:                    r.Key.String(),
		StateNotificationConfig: &iotpb.StateNotificationConfig{PubsubTopicName: r.StateTopic},
		MqttConfig:              &iotpb.MqttConfig{MqttEnabledState: iotpb.MqttState_MQTT_DISABLED},
		HttpConfig:              &iotpb.HttpConfig{HttpEnabledState: iotpb.HttpState_HTTP_DISABLED},
		LogLevel:                iotpb.LogLevel(r.LogLevel),
	}
	if r.MQTT {
		m.MqttConfig.MqttEnabledState = iotpb.MqttState_MQTT_ENABLED
	}
	if r.HTTP {
		m.HttpConfig.HttpEnabledState = iotpb.HttpState_HTTP_ENABLED
	}
	for _, route := range r.Routes {
		m.EventNotificationConfigs = append(m.EventNotificationConfigs,
			&iotpb.EventNotificationConfig{SubfolderMatches: route.SubFolder, PubsubTopicName: route.Topic})
	}
	for _, text := range r.Authorities {
		m.Credentials = append(m.Credentials, &iotpb.RegistryCredential{Credential: &iotpb.RegistryCredential_PublicKeyCertificate{
			PublicKeyCertificate: &iotpb.PublicKeyCertificate{
				Format:      iotpb.PublicKeyCertificateFormat_X509_CERTIFICATE_PEM,
				Certificate: text,
				X509Details: details(text),
			},
		}})
	}
	return m
}

// details is what the certificate says; none if it is none.
func details(text string) *iotpb.X509CertificateDetails {
	format, err := auth.DetectFormat(text)
	if err != nil {
		return nil
	}
	key, err := auth.ParseKey(format, text)
	if err != nil || key.Certificate == nil {
		return nil
	}
	return &iotpb.X509CertificateDetails{
		Issuer:             key.Certificate.Issuer.String(),
		Subject:            key.Certificate.Subject.String(),
		StartTime:          timestamppb.New(key.Certificate.NotBefore),
		ExpiryTime:         timestamppb.New(key.Certificate.NotAfter),
		SignatureAlgorithm: key.Certificate.SignatureAlgorithm.String(),
		PublicKeyType:      key.Certificate.PublicKeyAlgorithm.String(),
	}
}
