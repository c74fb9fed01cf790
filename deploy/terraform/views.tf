# The queries are the files that `iotbridge schema export --format ddl` prints as views,
# the comment at their head included; it is the view's description, too.
locals {
  views = {
    for name in ["temperature_dedup", "temperature_latest", "temperature_hourly", "temperature_daily"] :
    name => templatefile("${path.module}/../../schema/sql/${name}.sql", {
      PROJECT = var.project
      DATASET = google_bigquery_dataset.telemetry.dataset_id
    })
  }
  view_descriptions = {
    for name, query in local.views :
    name => join(" ", [for line in regexall("(?m)^-- (.*)$", query) : line[0]])
  }
}

resource "google_bigquery_table" "dedup" {
  project             = var.project
  dataset_id          = google_bigquery_dataset.telemetry.dataset_id
  table_id            = "temperature_dedup"
  description         = local.view_descriptions["temperature_dedup"]
  labels              = var.labels
  deletion_protection = false
  depends_on          = [google_bigquery_table.temperature]

  view {
    query          = local.views["temperature_dedup"]
    use_legacy_sql = false
  }
}

# They read the table or temperature_dedup, which BigQuery wants to be there before.
resource "google_bigquery_table" "view" {
  for_each = toset(["temperature_latest", "temperature_hourly", "temperature_daily"])

  project             = var.project
  dataset_id          = google_bigquery_dataset.telemetry.dataset_id
  table_id            = each.key
  description         = local.view_descriptions[each.key]
  labels              = var.labels
  deletion_protection = false
  depends_on          = [google_bigquery_table.dedup]

  view {
    query          = local.views[each.key]
    use_legacy_sql = false
  }
}
