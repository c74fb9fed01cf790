variable "project" {
  description = "Project that everything is made in; the --project of the gateway."
  type        = string

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 characters of a-z, 0-9 and -."
  }
}

variable "region" {
  description = "Region of the images, of Cloud Run, Cloud SQL and the key ring."
  type        = string
}

variable "labels" {
  description = "Labels on everything that takes labels."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete tables, the registry's database and the worker on Cloud Run. Turn it off, apply, and only then destroy."
  type        = bool
  default     = true
}

variable "message_storage_regions" {
  description = "Regions in which Pub/Sub may keep messages; empty lets Google choose. A publisher elsewhere is then served from one of them."
  type        = list(string)
  default     = []
}

variable "topic_retention" {
  description = "How long a topic keeps messages that were acknowledged, so that a subscription can go back to them; null keeps none. It is paid for by the GiB."
  type        = string
  default     = null

  validation {
    condition     = var.topic_retention == null || can(regex("^[0-9]+s$", var.topic_retention))
    error_message = "Seconds with an s, from 600s to 2678400s."
  }
}

variable "subscription_retention" {
  description = "How long an outage of the worker or of BigQuery may last before messages are lost. At most 31 days."
  type        = string
  default     = "604800s"

  validation {
    condition     = try(tonumber(trimsuffix(var.subscription_retention, "s")) >= 600 && tonumber(trimsuffix(var.subscription_retention, "s")) <= 2678400, false)
    error_message = "Seconds with an s, from 600s to 2678400s."
  }
}

variable "dataset_id" {
  description = "Dataset of the tables and views."
  type        = string
  default     = "telemetry"

  validation {
    condition     = can(regex("^[A-Za-z0-9_]+$", var.dataset_id))
    error_message = "A dataset's name is of A-Z, a-z, 0-9 and _."
  }
}

variable "bigquery_location" {
  description = "Where BigQuery keeps the dataset. It cannot be changed later."
  type        = string
  default     = "US"
}

variable "partition_expiration_days" {
  description = "After how many days a table's partitions are deleted, by the table's name; a table that is not named keeps them. Partitions of temperature are days of measurement, those of the others days of arrival."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for table, days in var.partition_expiration_days : contains(["temperature", "sensordata", "quarantine"], table) && days >= 1])
    error_message = "Name temperature, sensordata or quarantine, each with at least 1 day."
  }
}

variable "workload_identity" {
  description = "Kubernetes service accounts that may act as the gateway and as the worker, and KEDA's, which may read metrics to scale the worker; null where nothing runs on Kubernetes. The pool is the cluster's, PROJECT.svc.id.goog by default."
  type = object({
    pool      = optional(string)
    namespace = optional(string, "iotbridge")
    gateway   = optional(string, "iotbridge-gateway")
    worker    = optional(string, "iotbridge-ingest")
    keda      = optional(string) # namespace/name of its own service account, as keda/keda-operator
  })
  default = null
}

variable "image_readers" {
  description = "Who may pull the images, as serviceAccount:NODES@P.iam.gserviceaccount.com of a cluster's nodes. Cloud Run in the same project needs nothing."
  type        = list(string)
  default     = []
}

variable "analysts" {
  description = "Who may read all tables and views and pay for queries here, as group:NAME@DOMAIN."
  type        = list(string)
  default     = []
}

variable "operators" {
  description = "Who may work with the quarantine, as iotbridge quarantine does: read the tables, replay rows into them, log the replay in a table of its own."
  type        = list(string)
  default     = []
}

variable "provisioning_ca" {
  description = "Whether Cloud KMS makes and keeps the key of the authority that issues to devices."
  type        = bool
  default     = false
}

variable "registry_store" {
  description = "Cloud SQL for PostgreSQL as the gateway's registry; null leaves it out. The network needs private services access."
  type = object({
    network              = string
    tier                 = optional(string, "db-custom-2-7680")
    highly_available     = optional(bool, true)
    backups              = optional(number, 14)
    transaction_log_days = optional(number, 7)
    backup_location      = optional(string)
    maintenance_day      = optional(number, 2)
    maintenance_hour     = optional(number, 3)
    max_connections      = optional(number, 200)
  })
  default = null
}

variable "cloud_run" {
  description = "The worker on Cloud Run: as a job that empties the subscriptions whenever the schedule says so, or as a worker pool that never ends; null leaves it out. The secret holds the attestation keys, and with it every message must be signed."
  type = object({
    image              = string
    mode               = optional(string, "job")
    schedule           = optional(string, "*/15 * * * *")
    instances          = optional(number, 1)
    cpu                = optional(string, "1")
    memory             = optional(string, "512Mi")
    attestation_secret = optional(string)
  })
  default = null

  validation {
    condition     = var.cloud_run == null || contains(["job", "pool"], try(var.cloud_run.mode, ""))
    error_message = "The mode is job or pool."
  }
}

variable "notification_channels" {
  description = "Channels that the alert policies notify, as projects/P/notificationChannels/N."
  type        = list(string)
  default     = []
}

variable "runbooks_url" {
  description = "Where dashboards/runbooks can be read, without a slash at its end; alerts link to it."
  type        = string
  default     = "dashboards/runbooks"
}
