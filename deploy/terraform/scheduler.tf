# Starts the jobs. An execution that still runs when the next one starts does no harm:
# each message is leased to one of them.
resource "google_service_account" "scheduler" {
  count = length(local.jobs) > 0 ? 1 : 0

  project      = var.project
  account_id   = "iotbridge-scheduler"
  display_name = "iotbridge scheduler"
  description  = "Starts the worker's jobs, and may do nothing else."
}

resource "google_cloud_run_v2_job_iam_binding" "start" {
  for_each = local.jobs

  project  = var.project
  location = var.region
  name     = google_cloud_run_v2_job.ingest[each.key].name
  role     = "roles/run.invoker"
  members  = [google_service_account.scheduler[0].member]
}

resource "google_cloud_scheduler_job" "ingest" {
  for_each = local.jobs

  project   = var.project
  region    = var.region
  name      = "iotbridge-ingest-${each.key}"
  schedule  = var.cloud_run.schedule
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://run.googleapis.com/v2/${google_cloud_run_v2_job.ingest[each.key].id}:run"

    oauth_token {
      service_account_email = google_service_account.scheduler[0].email
    }
  }
}
