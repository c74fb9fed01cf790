-- Who may become a device, and who did. A claim that was reset has the state ''.

-- +goose Up
CREATE TABLE provision_profiles (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  revision INTEGER NOT NULL, body TEXT NOT NULL, secret TEXT NOT NULL,
  devices INTEGER NOT NULL, updated INTEGER NOT NULL
) STRICT;

-- An entry is s and a serial, or m and a MAC; list is 0 to allow, 1 to deny.
CREATE TABLE provision_entries (
  profile INTEGER NOT NULL, list INTEGER NOT NULL, entry TEXT NOT NULL, secret TEXT NOT NULL,
  PRIMARY KEY (profile, list, entry)
) STRICT, WITHOUT ROWID;

-- number outlives its device: what was deleted is not made again.
CREATE TABLE provision_claims (
  profile INTEGER NOT NULL REFERENCES provision_profiles, serial TEXT NOT NULL, macs TEXT NOT NULL, state TEXT NOT NULL,
  device TEXT NOT NULL, number INTEGER NOT NULL, spki BLOB,
  certificate BLOB, certificate_sha256 BLOB, previous BLOB, previous_sha256 BLOB, not_after INTEGER NOT NULL,
  bootstrap TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  PRIMARY KEY (profile, serial)
) STRICT, WITHOUT ROWID;
CREATE INDEX provision_claims_by_state ON provision_claims (profile, state, serial);
CREATE UNIQUE INDEX provision_claims_by_device ON provision_claims (number) WHERE number > 0;
CREATE UNIQUE INDEX provision_claims_by_key ON provision_claims (spki);
CREATE UNIQUE INDEX provision_claims_by_certificate ON provision_claims (certificate_sha256);
CREATE INDEX provision_claims_by_previous ON provision_claims (previous_sha256);

-- SHA-256 of the SubjectPublicKeyInfo of each key in devices.credentials.
CREATE TABLE device_keys (
  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, spki BLOB NOT NULL,
  PRIMARY KEY (device, spki)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_keys_by_key ON device_keys (spki);
