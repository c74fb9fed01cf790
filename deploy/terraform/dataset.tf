resource "google_bigquery_dataset" "telemetry" {
  project                    = var.project
  dataset_id                 = var.dataset_id
  location                   = var.bigquery_location
  description                = "What devices sent, under the identity whose key authenticated the connection, and what was refused."
  labels                     = var.labels
  delete_contents_on_destroy = false
}
