resource "google_artifact_registry_repository" "images" {
  project       = var.project
  location      = var.region
  repository_id = "iotbridge"
  description   = "Images of the gateway and the worker."
  format        = "DOCKER"
  labels        = var.labels

  # A version that runs stays what it is.
  docker_config {
    immutable_tags = true
  }
}

resource "google_artifact_registry_repository_iam_member" "reader" {
  for_each = toset(var.image_readers)

  project    = var.project
  location   = google_artifact_registry_repository.images.location
  repository = google_artifact_registry_repository.images.repository_id
  role       = "roles/artifactregistry.reader"
  member     = each.value
}
