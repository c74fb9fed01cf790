locals {
  pool = try(coalesce(var.workload_identity.pool, "${var.project}.svc.id.goog"), null)
  keda = try(var.workload_identity.keda, null)
}

resource "google_service_account_iam_binding" "gateway" {
  count = var.workload_identity == null ? 0 : 1

  service_account_id = google_service_account.gateway.name
  role               = "roles/iam.workloadIdentityUser"
  members            = ["serviceAccount:${local.pool}[${var.workload_identity.namespace}/${var.workload_identity.gateway}]"]
}

resource "google_service_account_iam_binding" "worker" {
  count = var.workload_identity == null ? 0 : 1

  service_account_id = google_service_account.worker.name
  role               = "roles/iam.workloadIdentityUser"
  members            = ["serviceAccount:${local.pool}[${var.workload_identity.namespace}/${var.workload_identity.worker}]"]
}

# KEDA asks Cloud Monitoring how old the backlog is; that role, too, is of the project.
resource "google_service_account" "keda" {
  count = local.keda == null ? 0 : 1

  project      = var.project
  account_id   = "iotbridge-keda"
  display_name = "iotbridge scaler"
  description  = "Reads the age and the length of the backlog, to scale the worker."
}

resource "google_project_iam_member" "keda" {
  count = local.keda == null ? 0 : 1

  project = var.project
  role    = "roles/monitoring.viewer"
  member  = google_service_account.keda[0].member
}

resource "google_service_account_iam_binding" "keda" {
  count = local.keda == null ? 0 : 1

  service_account_id = google_service_account.keda[0].name
  role               = "roles/iam.workloadIdentityUser"
  members            = ["serviceAccount:${local.pool}[${local.keda}]"]
}
