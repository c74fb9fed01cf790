package grafana

// withinAMinute is of the stored messages. Prometheus 3 writes a whole bound as 60.0.
const withinAMinute = `sum(increase(ingest_age_seconds_bucket{@, le=~"60(\\.0)?"}[$__range])) / sum(increase(ingest_age_seconds_count{@}[$__range]))`

// Ingest is what the workers do.
func Ingest() Dashboard {
	return Dashboard{
		UID: "iotbridge-ingest", Title: "iotbridge · Ingest", Tags: []string{"iotbridge"},
		Description: "From Pub/Sub to BigQuery: is what devices send durable in time, and if not, who is at fault. Read it from the top left: the promise, what is held and why, then BigQuery and the workers themselves.",
		From:        "now-6h", Refresh: "30s",
		Variables: append(programs("ingest_messages_total"),
			datasource("monitoring", "Cloud Monitoring", "stackdriver"),
			textbox("project", "Project", "Google Cloud project of the subscriptions, for the last row", "my-project"),
			textbox("subscription", "Subscription", "Id of a subscription, or a regular expression, for the last row", ".*")),
		Selector: selector,
		Rows: []Row{
			{Panels: []Panel{
				{
					Title: "Durable within 60 s", Kind: stat, Unit: "percentunit", Width: 4, Height: 5, Decimals: ptr(3), NoValue: "no messages",
					Description: "Share of the stored messages that were in their table within 60 s of their publication, over the chosen time. Promised: 99.9 %. Below it, look at what is held, then at the append latency.",
					Queries:     []Query{{Expr: withinAMinute}}, Limits: []Limit{{0, red}, {0.999, yellow}, {0.9995, green}},
					Runbooks: []string{"IngestFreshnessFastBurn", "IngestFreshnessSlowBurn"},
				},
				{
					Title: "Held by us", Kind: stat, Unit: "none", Width: 4, Height: 5, Words: map[string]string{"0": "no", "1": "HELD"},
					Description: "Whether any worker holds data for a cause that is no message's fault: a missing table, a permission, quota, an outage. Normal: no. Nothing is lost; /readyz of the worker says what to cure.",
					Queries:     []Query{{Expr: `max(ingest_hold{@})`}}, Limits: []Limit{{0, green}, {1, red}}, Runbooks: []string{"IngestHold"},
				},
				{
					Title: "Oldest message held", Kind: stat, Unit: "s", Width: 4, Height: 5,
					Description: "How long ago the oldest message that a worker holds was published. Normal: below a second. Minutes: the workers are behind, or were down; near the subscription's retention, data will be lost.",
					Queries:     []Query{{Expr: `max(ingest_oldest_message_age_seconds{@})`}}, Limits: []Limit{{0, green}, {60, yellow}, {3600, red}}, Runbooks: []string{"IngestBacklogAge"},
				},
				{
					Title: "Since the last row", Kind: stat, Unit: "s", Width: 4, Height: 5, NoValue: "none yet",
					Description: "Since a row was last made durable by any worker. Normal: as often as devices send. Growing while messages are held: no progress.",
					Queries:     []Query{{Expr: `time() - max(ingest_last_stored_timestamp_seconds{@} > 0)`}}, Limits: []Limit{{0, green}, {300, yellow}, {900, red}}, Runbooks: []string{"IngestNoProgress"},
				},
				{
					Title: "Quarantined", Kind: stat, Unit: "percentunit", Width: 4, Height: 5, Decimals: ptr(2), NoValue: "no messages",
					Description: "Share of the settled messages that went to quarantine, over the chosen time. Normal: that of your fleet, mostly 0. A jump is a new firmware, a broken sensor, or somebody who lies: see the reasons.",
					Queries:     []Query{{Expr: `sum(increase(ingest_messages_total{@, result="quarantined"}[$__range])) / sum(increase(ingest_messages_total{@, result=~"stored|quarantined"}[$__range]))`}},
					Limits:      []Limit{{0, green}, {0.01, yellow}, {0.05, red}}, Runbooks: []string{"IngestQuarantineSurge"},
				},
				{
					Title: "Utilization", Kind: stat, Unit: "percentunit", Width: 4, Height: 5, Max: ptr(1.0), Min: ptr(0.0),
					Description: "How full the fullest worker is: messages or bytes held against their limit. Normal: below half. At 100 % it pulls no more and the backlog grows: more workers, if BigQuery is not the one that is slow.",
					Queries:     []Query{{Expr: `max(ingest_utilization_ratio{@})`}}, Limits: []Limit{{0, green}, {0.7, yellow}, {0.9, red}}, Runbooks: []string{"IngestSaturated"},
				},
				{
					Title: "Age when durable", Unit: "s", Line: true, Limits: []Limit{{0, green}, {60, red}},
					Description: "From a message's publication to its durable row. Normal: 50 % within 100 ms and 99 % within a second. The line is the promise, 60 s. After a standstill it is high until the backlog is gone.",
					Queries: []Query{
						{Legend: "p50", Expr: `histogram_quantile(0.5, sum by (le) (rate(ingest_age_seconds_bucket{@}[$__rate_interval])))`},
						{Legend: "p99", Expr: `histogram_quantile(0.99, sum by (le) (rate(ingest_age_seconds_bucket{@}[$__rate_interval])))`},
					},
					Runbooks: []string{"IngestFreshnessFastBurn"},
				},
				{
					Title: "Messages settled", Unit: "mps", Stack: true,
					Description: "Stored, quarantined, and handed back for another delivery. Normal: stored as fast as devices send; returned only while a worker stops.",
					Queries:     []Query{{Legend: "{{result}}", Expr: `sum by (result) (rate(ingest_messages_total{@}[$__rate_interval]))`}},
					Runbooks:    []string{"IngestNoProgress"},
				},
				{
					Title: "Held, by cause", Unit: "none", Stack: true, Decimals: ptr(0),
					Description: "Workers that hold data, by cause. missing, permission and schema do not go by themselves; quota and unavailable may; unproven: rows are refused and nothing shows yet whose fault it is.",
					Queries:     []Query{{Legend: "{{cause}}", Expr: `sum by (cause) (ingest_hold{@})`}}, Runbooks: []string{"IngestHold"},
				},
				{
					Title: "Backlog that is held", Unit: "s",
					Description: "Of the oldest message that a worker holds: since its publication, and since the worker has it. Both high: the table is slow or held. Only the first: an old backlog is being worked off. What still waits in the subscription is in the last row.",
					Queries: []Query{
						{Legend: "since publication", Expr: `max(ingest_oldest_message_age_seconds{@})`},
						{Legend: "since it was pulled", Expr: `max(ingest_oldest_unacked_seconds{@})`},
					},
					Runbooks: []string{"IngestBacklogAge", "IngestNoProgress"},
				},
				{
					Title: "Quarantined, by reason", Unit: "mps", Stack: true,
					Description: "device_mismatch and attestation_*: somebody claims to be who he is not. malformed_body, wrong_type, missing_field: a firmware. *_out_of_range: a sensor or a clock. Each message is in the quarantine table with its bytes: iotbridge quarantine list.",
					Queries:     []Query{{Legend: "{{reason}}", Expr: `sum by (reason) (rate(ingest_quarantined_total{@}[$__rate_interval])) > 0`}},
					Runbooks:    []string{"IngestQuarantineSurge", "IngestForged"},
				},
				{
					Title: "Mismatches of the worst device", Unit: "short", Decimals: ptr(0),
					Description: "The most messages of any one device in ten minutes that claim to be another's. Normal: 0. A few: a misconfigured board. Many from one: a stolen or broken one; the quarantine table names it.",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `ingest_mismatches_top_device{@}`}}, Runbooks: []string{"IngestSpoofByOneDevice"},
				},
			}},
			{Title: "BigQuery", Panels: []Panel{
				{
					Title: "Append latency", Unit: "s",
					Description: "Append requests that succeeded, by table. Normal: tens of milliseconds; 99 % below a second.",
					Queries: []Query{
						{Legend: "p50 {{table}}", Expr: `histogram_quantile(0.5, sum by (table, le) (rate(ingest_append_seconds_bucket{@, code="OK"}[$__rate_interval])))`},
						{Legend: "p99 {{table}}", Expr: `histogram_quantile(0.99, sum by (table, le) (rate(ingest_append_seconds_bucket{@, code="OK"}[$__rate_interval])))`},
					},
					Runbooks: []string{"StorageWriteErrors"},
				},
				{
					Title: "Appends, by code", Unit: "reqps", Stack: true,
					Description: "Normal: OK alone. InvalidArgument: rows are refused and looked for. PermissionDenied and NotFound hold. ResourceExhausted: quota. Unavailable and DeadlineExceeded come and go; for minutes they are an outage.",
					Queries:     []Query{{Legend: "{{code}}", Expr: `sum by (code) (rate(ingest_append_seconds_count{@}[$__rate_interval]))`}}, Runbooks: []string{"StorageWriteErrors", "IngestHold"},
				},
				{
					Title: "Rows of an append", Unit: "short", Width: 8,
					Description: "The mean. It grows when the table is slow, which is meant so: larger batches cost less.",
					Queries:     []Query{{Legend: "rows", Expr: `sum(rate(ingest_append_rows_sum{@}[$__rate_interval])) / sum(rate(ingest_append_rows_count{@}[$__rate_interval]))`}},
				},
				{
					Title: "Bytes appended", Unit: "Bps", Width: 8,
					Description: "Bytes of rows, which is what Storage Write is paid by and has its quota in.",
					Queries:     []Query{{Legend: "bytes", Expr: `sum(rate(ingest_append_bytes_sum{@}[$__rate_interval]))`}},
				},
				{
					Title: "Streams opened again", Unit: "ops", Width: 8,
					Description: "By edge. Normal: Pub/Sub closes a stream about every half hour, BigQuery one that is idle. Many a minute: the network, or the service.",
					Queries:     []Query{{Legend: "{{edge}}", Expr: `sum by (edge) (rate(ingest_stream_restarts_total{@}[$__rate_interval]))`}}, Runbooks: []string{"IngestStreamRestarts"},
				},
			}},
			{Title: "Workers", Panels: []Panel{
				{
					Title: "Outstanding messages", Unit: "short", Width: 8,
					Description: "Pulled and not yet settled, by worker. Bounded by --max-outstanding-messages.",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `ingest_outstanding_messages{@}`}}, Runbooks: []string{"IngestSaturated"},
				},
				{
					Title: "Outstanding bytes", Unit: "bytes", Width: 8,
					Description: "Of those messages. Bounded by --max-outstanding-bytes.",
					Queries:     []Query{{Legend: "{{instance}}", Expr: `ingest_outstanding_bytes{@}`}},
				},
				{
					Title: "Leases and repetitions", Unit: "mps", Width: 8,
					Description: "Leases extended, because settling took longer than a second; and deliveries that are not a message's first, which Pub/Sub counts only with a dead-letter policy. Normal: both near 0. Repetitions with a slow table: leases are lost.",
					Queries: []Query{
						{Legend: "leases extended", Expr: `sum(rate(ingest_lease_extensions_total{@}[$__rate_interval]))`},
						{Legend: "delivered again", Expr: `sum(rate(ingest_redelivered_total{@}[$__rate_interval]))`},
					},
				},
				memory("Normal: below 100 MiB with 50,000 messages outstanding.", "ingest_utilization_ratio"),
				cpu("Normal: about 1.5 µs a message.", "ingest_utilization_ratio"),
				builds("ingest_utilization_ratio"),
			}},
			{Title: "The subscription, as Cloud Monitoring sees it", Closed: true, Panels: []Panel{
				{
					Title: "Oldest unacknowledged message", Unit: "s",
					Description: "Of the whole subscription, also of what no worker holds. Normal: seconds. It is what a scaler looks at. Cloud Monitoring is a few minutes behind.",
					Queries:     []Query{{Legend: "{{subscription_id}}", Monitoring: `max by (subscription_id) (pubsub_googleapis_com:subscription_oldest_unacked_message_age{monitored_resource="pubsub_subscription", subscription_id=~"${subscription:raw}"})`}},
					Runbooks:    []string{"IngestBacklogAge"},
				},
				{
					Title: "Undelivered messages", Unit: "short",
					Description: "The backlog. Normal: what devices send in some seconds.",
					Queries:     []Query{{Legend: "{{subscription_id}}", Monitoring: `max by (subscription_id) (pubsub_googleapis_com:subscription_num_undelivered_messages{monitored_resource="pubsub_subscription", subscription_id=~"${subscription:raw}"})`}},
					Runbooks:    []string{"IngestBacklogAge"},
				},
			}},
		},
	}
}

// What every program tells. of is a metric that only this program has.

func memory(normal, of string) Panel {
	only := ` and on (job, instance) ` + of + `{@}`
	return Panel{
		Title: "Memory", Unit: "bytes", Width: 8, Description: "Resident, and of it Go's heap in use, by process. " + normal + " Growing without end: take a heap profile from /debug/pprof.",
		Queries: []Query{
			{Legend: "resident {{instance}}", Expr: `process_resident_memory_bytes{@}` + only},
			{Legend: "heap {{instance}}", Expr: `go_memstats_heap_inuse_bytes{@}` + only},
		},
		Runbooks: []string{"RestartLoop"},
	}
}

func cpu(normal, of string) Panel {
	return Panel{
		Title: "CPU", Unit: "none", Width: 8, Description: "Cores in use, by process. " + normal, Min: ptr(0.0),
		Queries: []Query{{Legend: "{{instance}}", Expr: `rate(process_cpu_seconds_total{@}[$__rate_interval]) and on (job, instance) ` + of + `{@}`}},
	}
}

func builds(of string) Panel {
	return Panel{
		Title: "Builds", Kind: stat, Unit: "none", Width: 8, Description: "Processes of each version. Normal: one version. Two: a rollout is under way, or stuck.",
		Queries: []Query{{Legend: "{{version}}", Expr: `count by (version) (iotbridge_build_info{@} and on (job, instance) ` + of + `{@})`}},
		Limits:  []Limit{{0, blue}}, NoValue: "none running",
		Runbooks: []string{"RestartLoop"},
	}
}
