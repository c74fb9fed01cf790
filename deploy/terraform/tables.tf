# The columns are the ones that `iotbridge schema export --format bigquery` prints, read
# from the files in which it is kept: they are written nowhere else. None requires a
# filter on its partition, since the views read whole tables.

resource "google_bigquery_table" "temperature" {
  project             = var.project
  dataset_id          = google_bigquery_dataset.telemetry.dataset_id
  table_id            = "temperature"
  description         = "Temperature readings, one row a message; device_id is the identity whose key authenticated the connection. A lost confirmation can store a message twice, temperature_dedup shows it once."
  labels              = var.labels
  clustering          = ["device_id"]
  schema              = file("${path.module}/../../schema/export/temperature.json")
  deletion_protection = var.deletion_protection

  time_partitioning {
    type          = "DAY"
    field         = "event_time"
    expiration_ms = try(var.partition_expiration_days["temperature"] * 86400000, null)
  }
}

resource "google_bigquery_table" "sensordata" {
  project             = var.project
  dataset_id          = google_bigquery_dataset.telemetry.dataset_id
  table_id            = "sensordata"
  description         = "Telemetry outside the topics of known sensors, one row a message with the body kept whole; device_id is the identity whose key authenticated the connection."
  labels              = var.labels
  clustering          = ["device_id"]
  schema              = file("${path.module}/../../schema/export/sensordata.json")
  deletion_protection = var.deletion_protection

  time_partitioning {
    type          = "DAY"
    field         = "publish_time"
    expiration_ms = try(var.partition_expiration_days["sensordata"] * 86400000, null)
  }
}

resource "google_bigquery_table" "quarantine" {
  project             = var.project
  dataset_id          = google_bigquery_dataset.telemetry.dataset_id
  table_id            = "quarantine"
  description         = "Messages that were refused, one row a verdict, with raw bytes, attributes and reason, as replay needs them. Nothing in data or claimed_device_id is to be trusted."
  labels              = var.labels
  clustering          = ["reason", "device_id"]
  schema              = file("${path.module}/../../schema/export/quarantine.json")
  deletion_protection = var.deletion_protection

  time_partitioning {
    type          = "DAY"
    field         = "quarantine_time"
    expiration_ms = try(var.partition_expiration_days["quarantine"] * 86400000, null)
  }
}
