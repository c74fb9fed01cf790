// Package kubernetes passes what lies in deploy/k8s through a real API server:
//
//	cd internal/tools/kubernetes && go test ./...
//
// The server, kubectl and kustomize are built from Kubernetes' own modules, etcd is the
// system's (Debian: etcd-server), and KEDA's and the Prometheus operator's resource
// definitions come with their modules (crds/go.mod). There are no nodes and no
// controllers: what is told is whether a manifest is accepted, and not whether a pod runs.
//
//	overlay and components ──kustomize──▶ manifests ──apply, dry run, strict──▶ the namespace, which enforces restricted
//	each pod template ─────────────────────────────────create as a pod────────▶
//	a template made too weak ──────────────────────────────────────────────────▶ refused
//
// It is a module of its own because the server takes minutes to build, once.
package kubernetes
