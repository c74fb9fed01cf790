resource "google_bigquery_table" "temperature" {
  project     = var.project
  dataset_id  = var.dataset
  table_id    = "temperature"
  description = "Temperature readings, one row a message; device_id is the identity whose key authenticated the connection. A lost confirmation can store a message twice, temperature_dedup shows it once."
  clustering  = ["device_id"]

  time_partitioning {
    type  = "DAY"
    field = "event_time"
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
      name        = "event_time"
      type        = "TIMESTAMP"
      mode        = "REQUIRED"
      description = "When the reading was taken, by the device's clock, to the microsecond. The table is partitioned by its day."
    },
    {
      name        = "temperature"
      type        = "FLOAT"
      mode        = "REQUIRED"
      description = "Temperature in degrees Celsius, within the DS18B20's range of -55 to 125. 85.0 may be the sensor's power-on value."
    },
    {
      name        = "reading_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "The device's own id of the reading, the same each time it sends the reading again; NULL when the device gives none."
    },
    {
      name        = "extra"
      type        = "JSON"
      mode        = "NULLABLE"
      description = "The members of the body that no other column takes, as they came; NULL when there are none. Said by the device, not verified."
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
      description = "When Pub/Sub took the message from the gateway. It does not depend on the device's clock."
    },
    {
      name        = "ingest_time"
      type        = "TIMESTAMP"
      mode        = "NULLABLE"
      description = "When the worker made this row."
    },
  ])
}
