package grafana

const confirmed = `sum(increase(gateway_puback_seconds_bucket{@, le="1.024"}[$__range])) / (sum(increase(gateway_puback_seconds_count{@}[$__range])) + sum(increase(gateway_publish_messages_total{@, result!="confirmed"}[$__range])))`

// Gateway is the door: who comes in, who does not, and whether it hands on.
func Gateway() Dashboard {
	return Dashboard{
		UID: "iotbridge-gateway", Title: "iotbridge · Gateway", Tags: []string{"iotbridge"},
		Description: "Devices and what becomes of their messages up to Pub/Sub: are they confirmed in time, who is connected, who is refused and why, and what ends soon.",
		From:        "now-6h", Refresh: "30s", Variables: programs("gateway_connections"), Selector: selector,
		Rows: []Row{
			{Panels: []Panel{
				{
					Title: "Confirmed within 1 s", Kind: stat, Unit: "percentunit", Width: 4, Height: 5, Decimals: ptr(3), NoValue: "no messages",
					Description: "Share of the telemetry at QoS 1 whose PUBACK came within 1.024 s, over the chosen time; what Pub/Sub did not take counts as late. Promised: 99.9 %. Below it, look at the publish latency.",
					Queries:     []Query{{Expr: confirmed}}, Limits: []Limit{{0, red}, {0.999, yellow}, {0.9995, green}},
					Runbooks: []string{"GatewayConfirmFastBurn", "GatewayConfirmSlowBurn"},
				},
				{
					Title: "Held by us", Kind: stat, Unit: "none", Width: 4, Height: 5, Words: map[string]string{"0": "no", "1": "HELD"},
					Description: "Whether any gateway is not ready because of the store or Pub/Sub. Normal: no. Sessions go on without the store; without Pub/Sub nothing is confirmed and devices keep what they have. /readyz says what to cure.",
					Queries:     []Query{{Expr: `max(gateway_hold{@, cause!="stopping"})`}}, Limits: []Limit{{0, green}, {1, red}}, Runbooks: []string{"GatewayHold", "GatewayStoreDown"},
				},
				{
					Title: "Connected", Kind: stat, Unit: "short", Width: 4, Height: 5,
					Description: "MQTT sessions. Normal: your fleet, less what sleeps. A fall is a network, a certificate, or a gateway that went.",
					Queries:     []Query{{Expr: `sum(gateway_connections{@})`}}, Limits: []Limit{{0, blue}}, Runbooks: []string{"GatewayDevicesGone"},
				},
				{
					Title: "Refused", Kind: stat, Unit: "percentunit", Width: 4, Height: 5, Decimals: ptr(1), NoValue: "nobody came",
					Description: "Share of the connection attempts that were not accepted, over the chosen time. Normal: a few percent at the most. See the reasons below.",
					Queries:     []Query{{Expr: `1 - sum(increase(gateway_connects_total{@, result="accepted"}[$__range])) / sum(increase(gateway_connects_total{@}[$__range]))`}},
					Limits:      []Limit{{0, green}, {0.05, yellow}, {0.5, red}}, Runbooks: []string{"GatewayRefusing"},
				},
				{
					Title: "Next certificate ends in", Kind: stat, Unit: "s", Width: 4, Height: 5,
					Description: "Until the first of the gateways' certificates ends: that of device TLS, of the operators' API, or of the authority that issues to devices. Normal: weeks. At 0 no device connects.",
					Queries:     []Query{{Expr: `min(gateway_certificate_expiry_timestamp_seconds{@}) - time()`}}, Limits: []Limit{{0, red}, {7 * 86400, yellow}, {21 * 86400, green}},
					Runbooks: []string{"GatewayCertificateExpiry"},
				},
				{
					Title: "Devices whose credential ends", Kind: stat, Unit: "short", Width: 4, Height: 5,
					Description: "Devices whose last credential expires within 7 days, counted every 5 minutes. Normal: 0; with provisioning, agents renew long before. They will be refused with key_expired.",
					Queries:     []Query{{Expr: `max(gateway_device_credentials_expiring{@})`}}, Limits: []Limit{{0, green}, {1, yellow}},
					Runbooks: []string{"GatewayDeviceCredentialsExpiring"},
				},
				{
					Title: "PUBACK latency", Unit: "s", Line: true, Limits: []Limit{{0, green}, {1.024, red}},
					Description: "From a telemetry message at QoS 1 to its PUBACK, which Pub/Sub's answer is part of. Normal: 99 % below 100 ms. The line is the promise.",
					Queries: []Query{
						{Legend: "p50", Expr: `histogram_quantile(0.5, sum by (le) (rate(gateway_puback_seconds_bucket{@}[$__rate_interval])))`},
						{Legend: "p99", Expr: `histogram_quantile(0.99, sum by (le) (rate(gateway_puback_seconds_bucket{@}[$__rate_interval])))`},
					},
					Runbooks: []string{"GatewayConfirmFastBurn"},
				},
				{
					Title: "Messages, by kind", Unit: "mps", Stack: true,
					Description: "From and to devices over MQTT. Normal: events above all. Many errors: devices that publish what is not taken.",
					Queries:     []Query{{Legend: "{{kind}}", Expr: `sum by (kind) (rate(gateway_messages_total{@}[$__rate_interval]))`}},
				},
				{
					Title: "Telemetry, by registry", Unit: "mps", Stack: true,
					Description: "Over MQTT and HTTPS, the ten busiest registries. A gateway names its first hundred; the rest is other.",
					Queries:     []Query{{Legend: "{{registry}}", Expr: `topk(10, sum by (registry) (rate(gateway_registry_messages_total{@}[$__rate_interval])))`}},
				},
				{
					Title: "Held, by cause", Unit: "none", Stack: true, Decimals: ptr(0),
					Description: "Gateways that are not ready, by cause. stopping is a rollout.",
					Queries:     []Query{{Legend: "{{cause}}", Expr: `sum by (cause) (gateway_hold{@})`}}, Runbooks: []string{"GatewayHold", "GatewayStoreDown"},
				},
			}},
			{Title: "Devices", Panels: []Panel{
				{
					Title: "Sessions", Unit: "short", Stack: true,
					Description: "By gateway. Normal: even. Bounded by --max-connections.",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `gateway_connections{@}`}}, Runbooks: []string{"GatewayDevicesGone", "GatewayAtLimit"},
				},
				{
					Title: "Connections, by result", Unit: "ops", Stack: true,
					Description: "accepted; refused (see the reasons); fault: ours; crowded: no room, or too many from one address; tls, malformed, level and client_id: no device of ours, mostly scanners.",
					Queries:     []Query{{Legend: "{{result}}", Expr: `sum by (result) (rate(gateway_connects_total{@}[$__rate_interval])) > 0`}}, Runbooks: []string{"GatewayRefusing", "GatewayAtLimit"},
				},
				{
					Title: "Refused, by reason", Unit: "ops", Stack: true,
					Description: "Over MQTT and HTTPS. signature, unknown_device and blocked from many devices at once: an attack, or keys that were replaced. token_expired and token_future: clocks. key_expired: credentials ended. store_fault is ours.",
					Queries: []Query{
						{Legend: "MQTT {{reason}}", Expr: `sum by (reason) (rate(gateway_refusals_total{@}[$__rate_interval])) > 0`},
						{Legend: "HTTPS {{reason}}", Expr: `sum by (reason) (rate(gateway_http_refusals_total{@}[$__rate_interval])) > 0`},
					},
					Runbooks: []string{"GatewayRefusing"},
				},
				{
					Title: "Sessions that ended, by reason", Unit: "ops", Stack: true,
					Description: "Normal: client, lost and takeover, as networks are. Many keepalive: a network that drops silently. unpublished: Pub/Sub did not take a message. shutdown: a rollout.",
					Queries:     []Query{{Legend: "{{reason}}", Expr: `sum by (reason) (rate(gateway_disconnects_total{@}[$__rate_interval])) > 0`}}, Runbooks: []string{"GatewayDevicesGone"},
				},
				{
					Title: "HTTPS requests, by code", Unit: "reqps", Stack: true,
					Description: "Of the HTTP bridge. 401: refused, see the reasons. 429: over the device's rate. 503: ours.",
					Queries:     []Query{{Legend: "{{method}} {{code}}", Expr: `sum by (method, code) (rate(gateway_http_requests_total{@}[$__rate_interval]))`}},
				},
				{
					Title: "HTTPS latency, 99 %", Unit: "s",
					Description: "By method. Publishing waits for Pub/Sub.",
					Queries:     []Query{{Legend: "{{method}}", Expr: `histogram_quantile(0.99, sum by (method, le) (rate(gateway_http_request_seconds_bucket{@}[$__rate_interval])))`}},
				},
			}},
			{Title: "Pub/Sub", Panels: []Panel{
				{
					Title: "Publish latency", Unit: "s",
					Description: "Of publish requests, whatever came of them. Normal: 20 to 50 ms.",
					Queries: []Query{
						{Legend: "p50", Expr: `histogram_quantile(0.5, sum by (le) (rate(gateway_publish_seconds_bucket{@}[$__rate_interval])))`},
						{Legend: "p99", Expr: `histogram_quantile(0.99, sum by (le) (rate(gateway_publish_seconds_bucket{@}[$__rate_interval])))`},
					},
					Runbooks: []string{"GatewayPubSubFailing"},
				},
				{
					Title: "Publish requests, by code", Unit: "reqps", Stack: true,
					Description: "Normal: OK alone. NotFound and PermissionDenied hold a topic. Unavailable and DeadlineExceeded are sent again; for minutes they are an outage.",
					Queries:     []Query{{Legend: "{{code}}", Expr: `sum by (code) (rate(gateway_publish_seconds_count{@}[$__rate_interval]))`}}, Runbooks: []string{"GatewayPubSubFailing"},
				},
				{
					Title: "Messages not taken", Unit: "mps", Stack: true, Width: 8,
					Description: "given_up: Pub/Sub did not answer in time. refused: too many waited. The device gets no PUBACK and sends it again; at QoS 0 it is lost. Normal: 0.",
					Queries:     []Query{{Legend: "{{result}}", Expr: `sum by (result) (rate(gateway_publish_messages_total{@, result!="confirmed"}[$__rate_interval]))`}},
					Runbooks:    []string{"GatewayPubSubFailing", "GatewayConfirmFastBurn"},
				},
				{
					Title: "Waiting for Pub/Sub", Unit: "short", Width: 8,
					Description: "Telemetry of MQTT in flight, and all that is published and not answered, state too. At --max-outstanding-messages devices are slowed.",
					Queries: []Query{
						{Legend: "telemetry {{instance}}", Expr: `gateway_inflight_messages{@}`},
						{Legend: "all {{instance}}", Expr: `gateway_pubsub_outstanding_messages{@}`},
					},
					Runbooks: []string{"GatewayAtLimit"},
				},
				{
					Title: "Bytes waiting for Pub/Sub", Unit: "bytes", Width: 8,
					Description: "Of those messages. Bounded by --max-outstanding-bytes.",
					Queries: []Query{
						{Legend: "telemetry {{instance}}", Expr: `gateway_inflight_bytes{@}`},
						{Legend: "all {{instance}}", Expr: `gateway_pubsub_outstanding_bytes{@}`},
					},
					Runbooks: []string{"GatewayAtLimit"},
				},
			}},
			{Title: "Operators and the gateways themselves", Panels: []Panel{
				{
					Title: "Device Manager calls, by code", Unit: "reqps", Stack: true,
					Description: "Of operators. PermissionDenied and Unauthenticated: a wrong token, or somebody who tries.",
					Queries:     []Query{{Legend: "{{method}} {{code}}", Expr: `sum by (method, code) (rate(gateway_devicemanager_calls_total{@}[$__rate_interval])) > 0`}},
				},
				{
					Title: "Certificates end in", Unit: "s", Min: ptr(0.0),
					Description: "Each certificate's time left, of the gateway that has the least. A saw: it is renewed. A line that goes on falling: renewal fails.",
					Queries:     []Query{{Legend: "{{certificate}}", Expr: `min by (certificate) (gateway_certificate_expiry_timestamp_seconds{@}) - time()`}}, Runbooks: []string{"GatewayCertificateExpiry"},
				},
				memory("Normal: below 36 KiB a connection.", "gateway_connections"),
				cpu("Normal: about 70 µs a message and 1 ms a new TLS connection.", "gateway_connections"),
				builds("gateway_connections"),
				{
					Title: "File descriptors in use", Unit: "percentunit", Width: 12, Max: ptr(1.0), Min: ptr(0.0),
					Description: "Of what the process may open; one a connection. At 100 % nobody more is accepted: raise the limit (LimitNOFILE).",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `process_open_fds{@} / process_max_fds{@} and on (job, instance) gateway_connections{@}`}}, Runbooks: []string{"GatewayAtLimit"},
				},
				{
					Title: "Connections that could not be accepted", Unit: "ops", Width: 12,
					Description: "accept failed: mostly no file descriptor was left. Normal: 0.",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `rate(gateway_accept_errors_total{@}[$__rate_interval])`}}, Runbooks: []string{"GatewayAtLimit"},
				},
			}},
		},
	}
}
