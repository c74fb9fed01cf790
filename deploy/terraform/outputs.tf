output "topics" {
  description = "Full names of the topics, for a registry's --default-topic, --route and --state-topic."
  value       = { for key, topic in google_pubsub_topic.telemetry : key => topic.id }
}

output "subscriptions" {
  description = "Full names of the subscriptions, for --subscription."
  value       = { for key, subscription in google_pubsub_subscription.ingest : key => subscription.id }
}

output "tables" {
  description = "Names of the tables, for --table and --quarantine-table."
  value = {
    for table in [google_bigquery_table.temperature, google_bigquery_table.sensordata, google_bigquery_table.quarantine] :
    table.table_id => "${var.project}.${table.dataset_id}.${table.table_id}"
  }
}

output "quarantine_topic" {
  description = "For --quarantine-topic."
  value       = google_pubsub_topic.fallback.id
}

output "service_accounts" {
  description = "Accounts of the programs, for iam.gke.io/gcp-service-account on their Kubernetes service accounts."
  value = {
    gateway = google_service_account.gateway.email
    worker  = google_service_account.worker.email
    keda    = one(google_service_account.keda[*].email)
  }
}

output "images" {
  description = "Where images are pushed to."
  value       = "${google_artifact_registry_repository.images.location}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

output "provision_ca_key" {
  description = "For --provision-ca-key; null without provisioning_ca."
  value       = one([for key in google_kms_crypto_key.device_ca : "kms:${key.id}/cryptoKeyVersions/1"])
}

output "registry_address" {
  description = "Private address of the registry's PostgreSQL, for --store; null without registry_store."
  value       = one(google_sql_database_instance.registry[*].private_ip_address)
}
