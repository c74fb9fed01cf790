#!/bin/sh
# Prints dashboards/rules as resources of the Prometheus operator:
#   deploy/k8s/prometheusrules.sh | kubectl apply -n iotbridge -f -
set -eu
rules=$(dirname "$0")/../../dashboards/rules
for name in recording alerts; do
	printf -- '---\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: iotbridge-%s\nspec:\n' "$name"
	sed 's/^\(.\)/  \1/' "$rules/$name.yaml"
done
