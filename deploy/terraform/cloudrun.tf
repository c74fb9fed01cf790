# One worker a route. Cloud Run kills ten seconds after SIGTERM.
locals {
  jobs  = try(var.cloud_run.mode, null) == "job" ? local.routes : toset([])
  pools = try(var.cloud_run.mode, null) == "pool" ? local.routes : toset([])
  keys  = try(var.cloud_run.attestation_secret, null)

  attestation_file = "/etc/iotbridge/attestation/keys"
  worker_args = {
    for route in local.routes : route => concat([
      "--subscription=${google_pubsub_subscription.ingest[route].id}",
      "--schema=${route}",
      "--table=${var.project}.${google_bigquery_dataset.telemetry.dataset_id}.${route}",
      "--quarantine-table=${var.project}.${google_bigquery_dataset.telemetry.dataset_id}.${google_bigquery_table.quarantine.table_id}",
      "--quarantine-topic=${google_pubsub_topic.fallback.id}",
      "--shutdown-grace=8s",
      "--log-format=json",
    ], local.keys == null ? [] : ["--attestation=require", "--attestation-keys=${local.attestation_file}"])
  }
}

resource "google_cloud_run_v2_job" "ingest" {
  for_each = local.jobs

  project             = var.project
  location            = var.region
  name                = "iotbridge-ingest-${each.key}"
  labels              = var.labels
  deletion_protection = var.deletion_protection

  template {
    task_count  = var.cloud_run.instances
    parallelism = var.cloud_run.instances

    template {
      service_account = google_service_account.worker.email
      timeout         = "3600s"
      max_retries     = 1

      containers {
        image = var.cloud_run.image
        args  = concat(local.worker_args[each.key], ["--drain"])

        resources {
          limits = {
            cpu    = var.cloud_run.cpu
            memory = var.cloud_run.memory
          }
        }

        dynamic "volume_mounts" {
          for_each = local.keys == null ? [] : [1]
          content {
            name       = "attestation"
            mount_path = dirname(local.attestation_file)
          }
        }
      }

      dynamic "volumes" {
        for_each = local.keys == null ? [] : [1]
        content {
          name = "attestation"
          secret {
            secret = local.keys
            items {
              version = "latest"
              path    = basename(local.attestation_file)
            }
          }
        }
      }
    }
  }
}

resource "google_cloud_run_v2_worker_pool" "ingest" {
  for_each = local.pools

  project             = var.project
  location            = var.region
  name                = "iotbridge-ingest-${each.key}"
  labels              = var.labels
  deletion_protection = var.deletion_protection

  scaling {
    manual_instance_count = var.cloud_run.instances
  }

  template {
    service_account = google_service_account.worker.email

    containers {
      image = var.cloud_run.image
      args  = local.worker_args[each.key]

      resources {
        limits = {
          cpu    = var.cloud_run.cpu
          memory = var.cloud_run.memory
        }
      }

      dynamic "volume_mounts" {
        for_each = local.keys == null ? [] : [1]
        content {
          name       = "attestation"
          mount_path = dirname(local.attestation_file)
        }
      }
    }

    dynamic "volumes" {
      for_each = local.keys == null ? [] : [1]
      content {
        name = "attestation"
        secret {
          secret = local.keys
          items {
            version = "latest"
            path    = basename(local.attestation_file)
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_iam_member" "worker" {
  count = local.keys == null ? 0 : 1

  project   = var.project
  secret_id = local.keys
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.worker.member
}
