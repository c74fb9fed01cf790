# No dead-letter policy: the worker itself puts what is bad into the quarantine, and
# an outage of ours would move good messages out of the way after a few deliveries.
# No exactly-once delivery: a message may be stored twice only where a confirmation
# was lost, and temperature_dedup shows it once.
resource "google_pubsub_subscription" "ingest" {
  for_each = local.routes

  project                      = var.project
  name                         = "${each.key}-ingest"
  topic                        = google_pubsub_topic.telemetry[each.key].id
  labels                       = var.labels
  ack_deadline_seconds         = 60
  message_retention_duration   = var.subscription_retention
  retain_acked_messages        = false
  enable_message_ordering      = false
  enable_exactly_once_delivery = false

  # Never: a subscription that expires takes its backlog along.
  expiration_policy {
    ttl = ""
  }

  # Of what a worker hands back when it ends, or loses when it is killed.
  retry_policy {
    minimum_backoff = "1s"
    maximum_backoff = "60s"
  }
}

# Keeps what the fallback topic takes until somebody looks:
#   iotbridge messages pull --subscription quarantine-fallback-hold
resource "google_pubsub_subscription" "fallback" {
  project                    = var.project
  name                       = "quarantine-fallback-hold"
  topic                      = google_pubsub_topic.fallback.id
  labels                     = var.labels
  ack_deadline_seconds       = 60
  message_retention_duration = "2678400s"

  expiration_policy {
    ttl = ""
  }
}
