resource "google_bigquery_table" "sensordata" {
  project     = var.project
  dataset_id  = var.dataset
  table_id    = "sensordata"
  description = "Telemetry outside the topics of known sensors, one row a message with the body kept whole; device_id is the identity whose key authenticated the connection."
  clustering  = ["device_id"]

  time_partitioning {
    type  = "DAY"
    field = "publish_time"
  }

  schema = jsonencode([
    {
      name        = "device_id"
      type        = "STRING"
      mode        = "REQUIRED"
      description = "Name of the device whose key authenticated the connection. Set by the gateway, never taken from the body; unique within its registry."
    },
    {
      name        = "device_num_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "The device's numeric id, as digits. It is never used again after a device is deleted, a name may be."
    },
    {
      name        = "registry_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Registry that the device belongs to."
    },
    {
      name        = "location"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Region of the registry, for example europe-west1."
    },
    {
      name        = "project_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Project of the registry."
    },
    {
      name        = "sub_folder"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "What the device put after /events/ in the MQTT topic; an empty string when it put nothing."
    },
    {
      name        = "gateway_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Device that passed the message on for this one; NULL when the device was connected itself."
    },
    {
      name        = "payload"
      type        = "JSON"
      mode        = "REQUIRED"
      description = "The whole body, one JSON object. Said by the device, not verified, but for a device_id in it, which agrees with the column."
    },
    {
      name        = "message_id"
      type        = "STRING"
      mode        = "REQUIRED"
      description = "Pub/Sub's id of the message, the same in each of its deliveries."
    },
    {
      name        = "publish_time"
      type        = "TIMESTAMP"
      mode        = "REQUIRED"
      description = "When Pub/Sub took the message from the gateway. The table is partitioned by its day."
    },
    {
      name        = "ingest_time"
      type        = "TIMESTAMP"
      mode        = "NULLABLE"
      description = "When the worker made this row."
    },
  ])
}
