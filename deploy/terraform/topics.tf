# One topic a sensor, as registries route to it:
#   iotbridge registries create R --default-topic sensordata --route temperature=temperature --state-topic state
# The worker reads routes; a topic's table has its name.
locals {
  routes = toset(["temperature", "sensordata"])
  topics = setunion(local.routes, ["state"])
}

resource "google_pubsub_topic" "telemetry" {
  for_each = local.topics

  project                    = var.project
  name                       = each.key
  labels                     = var.labels
  message_retention_duration = var.topic_retention

  dynamic "message_storage_policy" {
    for_each = length(var.message_storage_regions) > 0 ? [1] : []
    content {
      allowed_persistence_regions = var.message_storage_regions
    }
  }
}

# Where the worker puts refused messages while the quarantine's table takes none
# (--quarantine-topic). No device's message goes through it.
resource "google_pubsub_topic" "fallback" {
  project = var.project
  name    = "quarantine-fallback"
  labels  = var.labels

  dynamic "message_storage_policy" {
    for_each = length(var.message_storage_regions) > 0 ? [1] : []
    content {
      allowed_persistence_regions = var.message_storage_regions
    }
  }
}
