package grafana

// Provisioning is how boards without a key become devices.
func Provisioning() Dashboard {
	return Dashboard{
		UID: "iotbridge-provisioning", Title: "iotbridge · Provisioning", Tags: []string{"iotbridge"},
		Description: "Boards that ask for a credential, what is decided, and what hints at a cloned board or a leaked bootstrap key.",
		From:        "now-24h", Refresh: "1m", Variables: programs("gateway_provision_requests_total"), Selector: selector,
		Rows: []Row{
			{Panels: []Panel{
				{
					Title: "Alarms", Kind: stat, Unit: "short", Width: 6, Height: 5,
					Description: "In the chosen time: two keys for one serial (duplicate_serial: a clone, a copied image or a leaked bootstrap key), or one key for two serials (duplicate_key: boards whose random numbers are not). Normal: 0. The audit log names the serial.",
					Queries:     []Query{{Expr: `sum(increase(gateway_provision_alarms_total{@}[$__range]))`}}, Limits: []Limit{{0, green}, {0.5, red}}, Runbooks: []string{"ProvisionAlarm"},
				},
				{
					Title: "Granted", Kind: stat, Unit: "short", Width: 6, Height: 5,
					Description: "Credentials in the chosen time, first ones and renewals. Normal: the boards that were unpacked, and the fleet over the certificates' lifetime.",
					Queries:     []Query{{Expr: `sum(increase(gateway_provision_requests_total{@, result="granted"}[$__range]))`}}, Limits: []Limit{{0, blue}},
				},
				{
					Title: "Refused", Kind: stat, Unit: "percentunit", Width: 6, Height: 5, Decimals: ptr(1), NoValue: "nobody asked",
					Description: "Share of the requests, over the chosen time. PENDING_APPROVAL is no refusal. Normal: few. Below, by code.",
					Queries:     []Query{{Expr: `sum(increase(gateway_provision_requests_total{@, result!~"granted|again|fault|PENDING_APPROVAL"}[$__range])) / sum(increase(gateway_provision_requests_total{@}[$__range]))`}},
					Limits:      []Limit{{0, green}, {0.1, yellow}, {0.5, red}}, Runbooks: []string{"ProvisionRefusing"},
				},
				{
					Title: "Authority ends in", Kind: stat, Unit: "s", Width: 6, Height: 5, NoValue: "nobody is provisioned",
					Description: "The certificate that issues to devices. Normal: more than the lifetime of what it issues, which ends with it: renew it before.",
					Queries:     []Query{{Expr: `min(gateway_certificate_expiry_timestamp_seconds{@, certificate="provision"}) - time()`}}, Limits: []Limit{{0, red}, {30 * 86400, yellow}, {90 * 86400, green}},
					Runbooks: []string{"GatewayCertificateExpiry"},
				},
				{
					Title: "Requests, by outcome", Unit: "reqps", Stack: true,
					Description: "granted; again: the same board asked once more and got the same; fault: ours; else the code of the refusal, as docs/provisioning.md explains it.",
					Queries:     []Query{{Legend: "{{result}}", Expr: `sum by (result) (rate(gateway_provision_requests_total{@}[$__rate_interval])) > 0`}},
					Runbooks:    []string{"ProvisionRefusing", "ProvisionFaults"},
				},
				{
					Title: "Alarms, by kind", Unit: "short", Stack: true, Decimals: ptr(0),
					Description: "In each hour. Normal: 0.",
					Queries:     []Query{{Legend: "{{kind}}", Expr: `sum by (kind) (increase(gateway_provision_alarms_total{@}[1h]))`}}, Runbooks: []string{"ProvisionAlarm"},
				},
				{
					Title: "Time to decide", Unit: "s",
					Description: "From a request to its decision, the webhook included. Normal: 99 % below 100 ms without a webhook.",
					Queries: []Query{
						{Legend: "p50", Expr: `histogram_quantile(0.5, sum by (le) (rate(gateway_provision_seconds_bucket{@}[$__rate_interval])))`},
						{Legend: "p99", Expr: `histogram_quantile(0.99, sum by (le) (rate(gateway_provision_seconds_bucket{@}[$__rate_interval])))`},
					},
				},
				{
					Title: "Devices whose credential ends", Unit: "short", Decimals: ptr(0),
					Description: "Whose last credential expires within 7 days. Normal: 0. Growing: agents do not renew; look at simplereenroll below.",
					Queries:     []Query{{Legend: "devices", Expr: `max(gateway_device_credentials_expiring{@})`}}, Runbooks: []string{"GatewayDeviceCredentialsExpiring"},
				},
			}},
			{Title: "Webhook", Panels: []Panel{
				{
					Title: "Answers of webhooks", Unit: "reqps", Stack: true,
					Description: "Of the profiles' webhooks. none: no answer that counts; the board is told to come back. Normal: no none.",
					Queries:     []Query{{Legend: "{{answer}}", Expr: `sum by (answer) (rate(gateway_provision_webhook_seconds_count{@}[$__rate_interval]))`}}, Runbooks: []string{"ProvisionWebhookFailing"},
				},
				{
					Title: "Latency of webhooks, 99 %", Unit: "s",
					Description: "With its retry, by answer.",
					Queries:     []Query{{Legend: "{{answer}}", Expr: `histogram_quantile(0.99, sum by (answer, le) (rate(gateway_provision_webhook_seconds_bucket{@}[$__rate_interval])))`}}, Runbooks: []string{"ProvisionWebhookFailing"},
				},
			}},
			{Title: "Over HTTPS", Panels: []Panel{
				{
					Title: "HTTPS requests, by operation and code", Unit: "reqps", Stack: true,
					Description: "EST and its JSON twin. OK, or the code of the refusal; what does not reach a decision is here alone, such as a certificate that is not known.",
					Queries:     []Query{{Legend: "{{operation}} {{code}}", Expr: `sum by (operation, code) (rate(gateway_provision_http_requests_total{@}[$__rate_interval])) > 0`}}, Runbooks: []string{"ProvisionRefusing"},
				},
				{
					Title: "HTTPS latency, 99 %", Unit: "s",
					Description: "From a request's head to its answer, by operation.",
					Queries:     []Query{{Legend: "{{operation}}", Expr: `histogram_quantile(0.99, sum by (operation, le) (rate(gateway_provision_http_seconds_bucket{@}[$__rate_interval])))`}},
				},
			}},
		},
	}
}
