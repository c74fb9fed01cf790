resource "google_bigquery_table" "quarantine" {
  project     = var.project
  dataset_id  = var.dataset
  table_id    = "quarantine"
  description = "Messages that were refused, one row a verdict, with raw bytes, attributes and reason, as replay needs them. Nothing in data or claimed_device_id is to be trusted."
  clustering  = ["reason", "device_id"]

  time_partitioning {
    type  = "DAY"
    field = "quarantine_time"
  }

  schema = jsonencode([
    {
      name        = "message_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Pub/Sub's id of the message; a replay keeps it."
    },
    {
      name        = "publish_time"
      type        = "TIMESTAMP"
      mode        = "NULLABLE"
      description = "When Pub/Sub took the message from the gateway."
    },
    {
      name        = "quarantine_time"
      type        = "TIMESTAMP"
      mode        = "NULLABLE"
      description = "When the worker refused the message. The table is partitioned by its day."
    },
    {
      name        = "subscription"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Full name of the subscription that the message came through."
    },
    {
      name        = "reason"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Why, as one word of a closed set, for example device_mismatch or malformed_body."
    },
    {
      name        = "detail"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "What exactly was wrong, at most 256 printable bytes; names the member or column, never quotes the payload."
    },
    {
      name        = "device_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Device that the gateway says sent the message. To be trusted unless reason is missing_identity, attestation_missing or attestation_invalid; NULL when the message does not say."
    },
    {
      name        = "claimed_device_id"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Device that the body claims to be from, at most 255 bytes; NULL when it claims none that can be told. Never to be trusted."
    },
    {
      name        = "attributes"
      type        = "JSON"
      mode        = "NULLABLE"
      description = "All attributes of the message, as one JSON object of strings."
    },
    {
      name        = "data"
      type        = "BYTES"
      mode        = "NULLABLE"
      description = "The message's body, byte for byte. Never to be trusted."
    },
    {
      name        = "delivery_attempt"
      type        = "INTEGER"
      mode        = "NULLABLE"
      description = "Which delivery of the message was refused, from 1; NULL where the subscription does not count."
    },
    {
      name        = "worker"
      type        = "STRING"
      mode        = "NULLABLE"
      description = "Name of the worker that refused the message."
    },
  ])
}
