# What Google Cloud sees and the programs' own metrics do not: a worker that is not
# there tells nobody. The other alerts are Prometheus's, in dashboards/rules;
# of two with one name the runbook is one, too.
locals {
  runbook = "What it means, what to look at, what to do: [%[1]s](${var.runbooks_url}/%[1]s.md)"
  pulled  = join(", ", [for name in sort([for s in google_pubsub_subscription.ingest : s.name]) : "\"${name}\""])
}

# After the retention Pub/Sub forgets what nobody has acknowledged.
resource "google_monitoring_alert_policy" "backlog" {
  project               = var.project
  display_name          = "IngestBacklogAge"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "The oldest message has waited for half of the retention"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = one_of(${local.pulled}) AND metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\""
      comparison      = "COMPARISON_GT"
      threshold_value = tonumber(trimsuffix(var.subscription_retention, "s")) / 2
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = format(local.runbook, "IngestBacklogAge")
  }
}

# Pub/Sub logs no publishing, so nobody can be told who published. Who may is logged,
# always: each grant on a topic, this module's own included, and on the project.
resource "google_monitoring_alert_policy" "publisher" {
  project               = var.project
  display_name          = "PublisherGranted"
  combiner              = "OR"
  severity              = "CRITICAL"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "Somebody was given a role that may publish"

    condition_matched_log {
      filter = <<-EOT
        log_id("cloudaudit.googleapis.com/activity")
        protoPayload.serviceName=("pubsub.googleapis.com" OR "cloudresourcemanager.googleapis.com")
        protoPayload.serviceData.policyDelta.bindingDeltas.action="ADD"
        protoPayload.serviceData.policyDelta.bindingDeltas.role=~"^roles/(pubsub[.](publisher|editor|admin)|editor|owner)$|^(projects|organizations)/"
      EOT
    }
  }

  # Without a limit a policy on logs is refused.
  alert_strategy {
    auto_close = "86400s"

    notification_rate_limit {
      period = "300s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = format(local.runbook, "PublisherGranted")
  }
}

# The subscriptions have no dead-letter policy; this is the worker's own.
resource "google_monitoring_alert_policy" "fallback" {
  project               = var.project
  display_name          = "QuarantineFallback"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "Refused messages wait outside the quarantine's table"

    condition_threshold {
      filter          = "resource.type = \"pubsub_subscription\" AND resource.labels.subscription_id = \"${google_pubsub_subscription.fallback.name}\" AND metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "60s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = format(local.runbook, "QuarantineFallback")
  }
}

# An idle connection that the service closes is 409 and no fault.
resource "google_monitoring_alert_policy" "storage_write" {
  project               = var.project
  display_name          = "StorageWriteErrors"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels
  user_labels           = var.labels

  conditions {
    display_name = "BigQuery refuses what the worker writes, or fails"

    condition_threshold {
      filter          = "resource.type = \"consumed_api\" AND resource.labels.service = \"bigquerystorage.googleapis.com\" AND metric.type = \"serviceruntime.googleapis.com/api/request_count\" AND metric.labels.response_code = one_of(\"403\", \"429\", \"500\", \"503\")"
      comparison      = "COMPARISON_GT"
      threshold_value = 10
      duration        = "600s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_SUM"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = format(local.runbook, "StorageWriteErrors")
  }
}
