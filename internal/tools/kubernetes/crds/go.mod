// Only for the resource definitions that lie in these modules: nothing of them is built.
module iotbridge/internal/tools/kubernetes/crds

go 1.26.0

require (
	github.com/kedacore/keda/v2 v2.20.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
