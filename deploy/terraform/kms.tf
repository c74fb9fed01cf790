# The key of the authority that issues to devices. The gateway signs with it and never
# sees it (--provision-ca-key kms:NAME).
resource "google_kms_key_ring" "provisioning" {
  count = var.provisioning_ca ? 1 : 0

  project  = var.project
  location = var.region
  name     = "iotbridge"
}

resource "google_kms_crypto_key" "device_ca" {
  count = var.provisioning_ca ? 1 : 0

  name     = "device-ca"
  key_ring = google_kms_key_ring.provisioning[0].id
  purpose  = "ASYMMETRIC_SIGN"
  labels   = var.labels

  version_template {
    algorithm        = "EC_SIGN_P256_SHA256"
    protection_level = "HSM"
  }

  # Without it no device can renew its certificate.
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_binding" "sign" {
  count = var.provisioning_ca ? 1 : 0

  crypto_key_id = google_kms_crypto_key.device_ca[0].id
  role          = "roles/cloudkms.signer"
  members       = [google_service_account.gateway.member]
}

resource "google_kms_crypto_key_iam_binding" "public_key" {
  count = var.provisioning_ca ? 1 : 0

  crypto_key_id = google_kms_crypto_key.device_ca[0].id
  role          = "roles/cloudkms.publicKeyViewer"
  members       = [google_service_account.gateway.member]
}
