package grafana

import "embed"

//go:embed sql/*.sql
var queries embed.FS

func sql(file string) []Query { return []Query{{SQL: file}} }

// Fleet is what the devices sent, as the tables have it.
func Fleet() Dashboard {
	return Dashboard{
		UID: "iotbridge-fleet", Title: "iotbridge · Fleet", Tags: []string{"iotbridge"},
		Description: "The devices, out of BigQuery. It costs what it reads: the chosen time bounds that, by the tables' partitions, and nothing is asked again by itself.",
		From:        "now-6h", Refresh: "",
		Variables: []object{
			datasource("bigquery", "BigQuery", "grafana-bigquery-datasource"),
			textbox("PROJECT", "Project", "Google Cloud project of the dataset", "my-project"),
			textbox("DATASET", "Dataset", "BigQuery dataset of temperature and quarantine", "iot"),
			textbox("registry", "Registry", "Regular expression for registries' ids", ".*"),
			textbox("device", "Device", "Regular expression for devices' ids", ".*"),
			textbox("silent_minutes", "Silent after (min)", "Without a reading for so many minutes a device is silent", "15"),
			runbooks(),
		},
		Rows: []Row{
			{Panels: []Panel{
				{
					Title: "Silent devices", Kind: table, Unit: "none", Width: 12, Height: 10, Sort: "silent",
					Description: "Heard in the chosen time, and not in its last minutes. Normal: none. One: its power, its network or its sensor; iotbridge devices describe says when it was last connected. Many at once: a place, or the gateway.",
					Queries:     sql("fleet_silent"), Columns: map[string]string{"silent": "s", "last_temperature": "celsius", "last_heard": "dateTimeAsIso"},
					NoValue: "none is silent", Runbooks: []string{"GatewayDevicesGone"},
				},
				{
					Title: "Temperature, by device", Unit: "celsius", Width: 12, Height: 10,
					Description: "Means over the steps of the picture, of at most 25 devices; choose others by the regular expressions above. 85 °C exactly may be a DS18B20 that lost its power; −127 °C is refused.",
					Queries:     sql("fleet_temperature"),
				},
				{
					Title: "Heard", Kind: stat, Unit: "short", Width: 6, Height: 6, Limits: []Limit{{0, blue}},
					Description: "Devices and readings in the chosen time, by the devices' clocks. Normal: your fleet, and its readings at their interval.",
					Queries:     sql("fleet_heard"),
				},
				{
					Title: "Duplicates", Kind: stat, Unit: "percentunit", Width: 6, Height: 6, Decimals: ptr(3), Limits: []Limit{{0, green}, {0.001, yellow}, {0.01, red}}, NoValue: "no rows",
					Description: "Share of the rows that repeat a reading. A lost confirmation makes one; temperature_dedup shows each once. Normal: below 0.1 %. More: look at leases and appends of the workers.",
					Queries:     sql("fleet_duplicates_share"),
				},
				{
					Title: "Duplicates, by device", Kind: table, Unit: "none", Width: 12, Height: 6, Sort: "duplicates", NoValue: "none",
					Description: "Of all devices alike: the path. Of one device: it sends again what was confirmed.",
					Queries:     sql("fleet_duplicates"), Columns: map[string]string{"share": "percentunit"},
				},
				{
					Title: "Spool age, by device", Unit: "s", Width: 24,
					Description: "From the reading to its publication, at the most in each step, of the 25 devices that waited longest. Normal: below a second. A saw that falls to 0: a device was without network and has caught up. Constant: its clock is wrong; below 0 it is fast.",
					Queries:     sql("fleet_spool_age"),
				},
				{
					Title: "In quarantine, by reason", Unit: "short", Stack: true, Decimals: ptr(0),
					Description: "Messages a step. Normal: that of your fleet, mostly none.",
					Queries:     sql("fleet_quarantine"), Runbooks: []string{"IngestQuarantineSurge", "IngestForged"},
				},
				{
					Title: "In quarantine, by device and reason", Kind: table, Unit: "none", Sort: "messages", NoValue: "none",
					Description: "device_mismatch with many claimed devices: somebody tries names. With one: two boards have each other's configuration. iotbridge quarantine list --device shows the messages.",
					Queries:     sql("fleet_quarantine_devices"), Columns: map[string]string{"last": "dateTimeAsIso"}, Runbooks: []string{"IngestSpoofByOneDevice", "IngestQuarantineSurge"},
				},
			}},
		},
	}
}
