// Package dashboards is what an operator sees and is woken by: the dashboards in
// grafana, the rules in rules, and for each alert a page in runbooks.
package dashboards
