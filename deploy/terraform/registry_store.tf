# The gateway's registry, where several gateways act as one. Its user and password are
# made by hand (README.md): Terraform would keep the password in its state.
resource "google_sql_database_instance" "registry" {
  count = var.registry_store == null ? 0 : 1

  project             = var.project
  region              = var.region
  name                = "iotbridge-registry"
  database_version    = "POSTGRES_17"
  deletion_protection = var.deletion_protection

  settings {
    edition                     = "ENTERPRISE"
    tier                        = var.registry_store.tier
    availability_type           = var.registry_store.highly_available ? "REGIONAL" : "ZONAL"
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection
    user_labels                 = var.labels

    ip_configuration {
      ipv4_enabled    = false
      private_network = var.registry_store.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      start_time                     = "02:00"
      location                       = var.registry_store.backup_location
      transaction_log_retention_days = var.registry_store.transaction_log_days

      backup_retention_settings {
        retained_backups = var.registry_store.backups
      }
    }

    maintenance_window {
      day          = var.registry_store.maintenance_day
      hour         = var.registry_store.maintenance_hour
      update_track = "stable"
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.registry_store.max_connections)
    }
  }
}

resource "google_sql_database" "registry" {
  count = var.registry_store == null ? 0 : 1

  project  = var.project
  instance = google_sql_database_instance.registry[0].name
  name     = "iotbridge"
}
