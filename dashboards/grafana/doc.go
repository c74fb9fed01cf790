// Package grafana is the dashboards. Each is written here in a few lines a panel and
// kept beside as the JSON that Grafana loads; a test holds the two equal, and go test
// ./dashboards/grafana -update writes the JSON anew.
//
// In an expression {@} stands for what the dashboard's variables select. A panel's
// description says what is normal, and what else to look at; its links lead to the
// runbooks of the alerts that watch the same.
package grafana
