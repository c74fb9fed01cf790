variable "project" {
  description = "Project that everything is made in."
  type        = string
}

variable "region" {
  description = "Region of everything that has one."
  type        = string
  default     = "europe-west1"
}

variable "worker_image" {
  description = "Image of the worker, as REGION-docker.pkg.dev/P/iotbridge/iotbridge-ingest:VERSION; null until it was pushed."
  type        = string
  default     = null
}

variable "alert_email" {
  description = "Who is told of alerts."
  type        = string
}

variable "analysts" {
  description = "Who may read the tables, as group:NAME@DOMAIN."
  type        = list(string)
  default     = []
}

variable "operators" {
  description = "Who may work with the quarantine, as group:NAME@DOMAIN."
  type        = list(string)
  default     = []
}
