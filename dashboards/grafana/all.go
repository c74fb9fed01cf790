package grafana

// Files are the dashboards by the names of their files.
func Files() map[string]Dashboard {
	return map[string]Dashboard{"ingest.json": Ingest(), "gateway.json": Gateway(), "fleet.json": Fleet(), "provisioning.json": Provisioning()}
}
