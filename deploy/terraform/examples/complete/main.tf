locals {
  services = [
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "bigquerystorage.googleapis.com",
    "cloudkms.googleapis.com",
    "cloudscheduler.googleapis.com",
    "compute.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
  ]
}

resource "google_project_service" "used" {
  for_each = toset(local.services)

  project            = var.project
  service            = each.key
  disable_on_destroy = false
}

# The network of the cluster that runs the gateway, with private services access for
# Cloud SQL.
resource "google_compute_network" "iotbridge" {
  project                 = var.project
  name                    = "iotbridge"
  auto_create_subnetworks = true
  depends_on              = [google_project_service.used]
}

resource "google_compute_global_address" "services" {
  project       = var.project
  name          = "iotbridge-services"
  purpose       = "VPC_PEERING"
  address_type  = "INTERNAL"
  prefix_length = 20
  network       = google_compute_network.iotbridge.id
}

resource "google_service_networking_connection" "services" {
  network                 = google_compute_network.iotbridge.id
  service                 = "servicenetworking.googleapis.com"
  reserved_peering_ranges = [google_compute_global_address.services.name]
}

resource "google_monitoring_notification_channel" "email" {
  project      = var.project
  display_name = "iotbridge"
  type         = "email"

  labels = {
    email_address = var.alert_email
  }

  depends_on = [google_project_service.used]
}

module "iotbridge" {
  source = "../.."

  project                 = var.project
  region                  = var.region
  bigquery_location       = var.region
  message_storage_regions = [var.region]

  partition_expiration_days = {
    quarantine = 400
  }

  analysts  = var.analysts
  operators = var.operators

  workload_identity = {
    keda = "keda/keda-operator"
  }

  registry_store = {
    network = google_service_networking_connection.services.network
  }

  provisioning_ca = true

  cloud_run = var.worker_image == null ? null : {
    image = var.worker_image
  }

  notification_channels = [google_monitoring_notification_channel.email.id]

  depends_on = [google_project_service.used]
}
