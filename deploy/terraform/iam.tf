# Who may do what; README.md has it as a table. Nobody gets a key: programs act under
# these accounts by Workload Identity or on Cloud Run.
resource "google_service_account" "gateway" {
  project      = var.project
  account_id   = "iotbridge-gateway"
  display_name = "iotbridge gateway"
  description  = "Publishes what devices send. Nobody else may."
}

resource "google_service_account" "worker" {
  project      = var.project
  account_id   = "iotbridge-worker"
  display_name = "iotbridge worker"
  description  = "Moves messages from its subscriptions into its tables."
}

# A binding, not a member: whoever else is given the role on a topic loses it with the
# next apply.
resource "google_pubsub_topic_iam_binding" "publish" {
  for_each = local.topics

  project = var.project
  topic   = google_pubsub_topic.telemetry[each.key].name
  role    = "roles/pubsub.publisher"
  members = [google_service_account.gateway.member]
}

resource "google_pubsub_topic_iam_binding" "fallback" {
  project = var.project
  topic   = google_pubsub_topic.fallback.name
  role    = "roles/pubsub.publisher"
  members = [google_service_account.worker.member]
}

resource "google_pubsub_subscription_iam_binding" "consume" {
  for_each = local.routes

  project      = var.project
  subscription = google_pubsub_subscription.ingest[each.key].name
  role         = "roles/pubsub.subscriber"
  members      = [google_service_account.worker.member]
}

resource "google_pubsub_subscription_iam_member" "fallback" {
  for_each = toset(var.operators)

  project      = var.project
  subscription = google_pubsub_subscription.fallback.name
  role         = "roles/pubsub.subscriber"
  member       = each.value
}

# Appending rows takes these two. roles/bigquery.dataEditor would do as well, and could
# read the rows, change the columns and delete the table.
resource "google_project_iam_custom_role" "row_writer" {
  project     = var.project
  role_id     = "iotbridgeRowWriter"
  title       = "iotbridge row writer"
  description = "Append rows to a table over the Storage Write API."
  permissions = ["bigquery.tables.get", "bigquery.tables.updateData"]
}

resource "google_bigquery_table_iam_member" "worker" {
  for_each = {
    temperature = google_bigquery_table.temperature.table_id
    sensordata  = google_bigquery_table.sensordata.table_id
    quarantine  = google_bigquery_table.quarantine.table_id
  }

  project    = var.project
  dataset_id = google_bigquery_dataset.telemetry.dataset_id
  table_id   = each.value
  role       = google_project_iam_custom_role.row_writer.id
  member     = google_service_account.worker.member
}

resource "google_bigquery_dataset_iam_member" "analyst" {
  for_each = toset(var.analysts)

  project    = var.project
  dataset_id = google_bigquery_dataset.telemetry.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = each.value
}

# Of the whole dataset, since the first replay makes its log there.
resource "google_bigquery_dataset_iam_member" "operator" {
  for_each = toset(var.operators)

  project    = var.project
  dataset_id = google_bigquery_dataset.telemetry.dataset_id
  role       = "roles/bigquery.dataEditor"
  member     = each.value
}

# A query runs in a project: this role is of the project or of nothing.
resource "google_project_iam_member" "query" {
  for_each = toset(concat(var.analysts, var.operators))

  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = each.value
}
