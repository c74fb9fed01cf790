package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"cloud.google.com/go/iot/apiv1/iotpb"
	"google.golang.org/api/iterator"
)

type registriesCommand struct {
	Create   registriesCreate   `cmd:"" help:"Make a registry: where its devices' messages go."`
	List     registriesList     `cmd:"" help:"List the registries of a region."`
	Describe registriesDescribe `cmd:"" help:"Show a registry."`
	Delete   registriesDelete   `cmd:"" help:"Delete a registry that has no devices any more."`
}

type registriesCreate struct {
	door         `embed:""`
	Registry     string   `arg:"" help:"Its id."`
	DefaultTopic string   `placeholder:"T" help:"Where telemetry goes that no route takes: a topic, short or projects/P/topics/T. Without one, the gateway closes on such a message."`
	Route        []string `placeholder:"SUBFOLDER=T" help:"Where the telemetry of a subfolder goes. The first route that matches counts."`
	StateTopic   string   `placeholder:"T" help:"Where devices' states are told, beside being kept."`
	Protocols    []string `default:"mqtt,http" enum:"mqtt,http" help:"How devices may speak: ${enum}."`
	Logging      string   `default:"none" enum:"none,error,info,debug" help:"How much of a device's life is logged: ${enum}."`
	Authority    []string `type:"existingfile" placeholder:"FILE" help:"A CA's certificate in PEM. If there is any, devices' keys must be in certificates that one of them issued."`
}

// Run makes it.
func (c *registriesCreate) Run(ctx context.Context, out io.Writer) error {
	return c.call(ctx, out, func(ctx context.Context, api *client) error {
		r, err := c.message(api.project)
		if err != nil {
			return err
		}
		made, err := api.CreateDeviceRegistry(ctx, &iotpb.CreateDeviceRegistryRequest{Parent: api.region, DeviceRegistry: r})
		if err != nil {
			return err
		}
		return api.print(made, func(out io.Writer) { describeRegistry(out, made) })
	})
}

func (c *registriesCreate) message(project string) (*iotpb.DeviceRegistry, error) {
	r := &iotpb.DeviceRegistry{
		Id:         c.Registry,
		MqttConfig: &iotpb.MqttConfig{MqttEnabledState: iotpb.MqttState_MQTT_DISABLED},
		HttpConfig: &iotpb.HttpConfig{HttpEnabledState: iotpb.HttpState_HTTP_DISABLED},
		LogLevel:   logLevel(c.Logging),
	}
	if slices.Contains(c.Protocols, "mqtt") {
		r.MqttConfig.MqttEnabledState = iotpb.MqttState_MQTT_ENABLED
	}
	if slices.Contains(c.Protocols, "http") {
		r.HttpConfig.HttpEnabledState = iotpb.HttpState_HTTP_ENABLED
	}
	for _, route := range c.Route {
		subFolder, topic, ok := strings.Cut(route, "=")
		if !ok || subFolder == "" || topic == "" {
			return nil, usage("--route " + shown(route) + ": want SUBFOLDER=TOPIC")
		}
		r.EventNotificationConfigs = append(r.EventNotificationConfigs, &iotpb.EventNotificationConfig{SubfolderMatches: subFolder, PubsubTopicName: longTopic(project, topic)})
	}
	if c.DefaultTopic != "" { // it takes all, so it is the last
		r.EventNotificationConfigs = append(r.EventNotificationConfigs, &iotpb.EventNotificationConfig{PubsubTopicName: longTopic(project, c.DefaultTopic)})
	}
	if c.StateTopic != "" {
		r.StateNotificationConfig = &iotpb.StateNotificationConfig{PubsubTopicName: longTopic(project, c.StateTopic)}
	}
	for _, name := range c.Authority {
		text, err := readFile(name)
		if err != nil {
			return nil, err
		}
		r.Credentials = append(r.Credentials, &iotpb.RegistryCredential{Credential: &iotpb.RegistryCredential_PublicKeyCertificate{
			PublicKeyCertificate: &iotpb.PublicKeyCertificate{Format: iotpb.PublicKeyCertificateFormat_X509_CERTIFICATE_PEM, Certificate: string(text)},
		}})
	}
	return r, nil
}

func longTopic(project, topic string) string {
	if strings.Contains(topic, "/") {
		return topic
	}
	return "projects/" + project + "/topics/" + topic
}

// logLevel is the API's; "" is the registry's.
func logLevel(name string) iotpb.LogLevel {
	return iotpb.LogLevel(iotpb.LogLevel_value[strings.ToUpper(name)])
}

type registriesList struct {
	door `embed:""`
}

// Run lists.
func (c *registriesList) Run(ctx context.Context, out io.Writer) error {
	return c.call(ctx, out, func(ctx context.Context, api *client) error {
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		if !c.JSON {
			fmt.Fprintln(w, "REGISTRY\tREGION\tPROTOCOLS\tTOPICS")
		}
		it := api.ListDeviceRegistries(ctx, &iotpb.ListDeviceRegistriesRequest{Parent: api.region})
		for {
			r, err := it.Next()
			if errors.Is(err, iterator.Done) {
				return w.Flush()
			}
			if err == nil {
				err = api.print(r, func(io.Writer) {
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.GetId(), regionOf(r.GetName()), protocols(r), strings.Join(routes(r), " "))
				})
			}
			if err != nil {
				return err
			}
		}
	})
}

type registriesDescribe struct {
	door     `embed:""`
	Registry string `arg:"" help:"Its id."`
}

// Run shows it.
func (c *registriesDescribe) Run(ctx context.Context, out io.Writer) error {
	return c.call(ctx, out, func(ctx context.Context, api *client) error {
		r, err := api.GetDeviceRegistry(ctx, &iotpb.GetDeviceRegistryRequest{Name: api.region + "/registries/" + c.Registry})
		if err != nil {
			return err
		}
		return api.print(r, func(out io.Writer) { describeRegistry(out, r) })
	})
}

type registriesDelete struct {
	door     `embed:""`
	Registry string `arg:"" help:"Its id."`
	Yes      bool   `help:"Do not ask."`
}

// Run deletes it; the gateway refuses while it has devices.
func (c *registriesDelete) Run(ctx context.Context, out io.Writer) error {
	if err := confirm("Delete the registry "+shown(c.Registry)+"?", c.Yes); err != nil {
		return err
	}
	return c.call(ctx, out, func(ctx context.Context, api *client) error {
		return api.DeleteDeviceRegistry(ctx, &iotpb.DeleteDeviceRegistryRequest{Name: api.region + "/registries/" + c.Registry})
	})
}

func describeRegistry(out io.Writer, r *iotpb.DeviceRegistry) {
	line(out, "registry", r.GetId())
	line(out, "name", r.GetName())
	line(out, "protocols", protocols(r))
	for _, route := range routes(r) {
		line(out, "telemetry", route)
	}
	line(out, "states", orDash(r.GetStateNotificationConfig().GetPubsubTopicName()))
	line(out, "log level", levelName(r.GetLogLevel(), "none"))
	line(out, "authorities", fmt.Sprint(len(r.GetCredentials())))
}

func protocols(r *iotpb.DeviceRegistry) string {
	var names []string
	if r.GetMqttConfig().GetMqttEnabledState() == iotpb.MqttState_MQTT_ENABLED {
		names = append(names, "mqtt")
	}
	if r.GetHttpConfig().GetHttpEnabledState() == iotpb.HttpState_HTTP_ENABLED {
		names = append(names, "http")
	}
	return orDash(strings.Join(names, ","))
}

// routes are SUBFOLDER=TOPIC, with * for the one that takes all.
func routes(r *iotpb.DeviceRegistry) []string {
	var list []string
	for _, c := range r.GetEventNotificationConfigs() {
		subFolder := c.GetSubfolderMatches()
		if subFolder == "" {
			subFolder = "*"
		}
		list = append(list, subFolder+"="+c.GetPubsubTopicName())
	}
	return list
}

// regionOf is the L of projects/P/locations/L/…
func regionOf(name string) string {
	if parts := strings.Split(name, "/"); len(parts) > 3 {
		return parts[3]
	}
	return "-"
}
