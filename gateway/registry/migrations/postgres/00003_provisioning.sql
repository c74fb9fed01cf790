-- Who may become a device, and who did. A claim that was reset has the state ''.

-- +goose Up
CREATE TABLE provision_profiles (
  number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE,
  revision BIGINT NOT NULL, body TEXT NOT NULL, secret TEXT NOT NULL,
  devices BIGINT NOT NULL, updated BIGINT NOT NULL
) WITH (fillfactor = 50);

-- An entry is s and a serial, or m and a MAC; list is 0 to allow, 1 to deny.
CREATE TABLE provision_entries (
  profile BIGINT NOT NULL, list INTEGER NOT NULL, entry TEXT COLLATE "C" NOT NULL, secret TEXT NOT NULL,
  PRIMARY KEY (profile, list, entry)
);

-- number outlives its device: what was deleted is not made again.
CREATE TABLE provision_claims (
  profile BIGINT NOT NULL REFERENCES provision_profiles, serial TEXT COLLATE "C" NOT NULL, macs TEXT NOT NULL, state TEXT COLLATE "C" NOT NULL,
  device TEXT NOT NULL, number BIGINT NOT NULL, spki BYTEA,
  certificate BYTEA, certificate_sha256 BYTEA, previous BYTEA, previous_sha256 BYTEA, not_after BIGINT NOT NULL,
  bootstrap TEXT NOT NULL, reason TEXT NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
  PRIMARY KEY (profile, serial)
);
CREATE INDEX provision_claims_by_state ON provision_claims (profile, state, serial);
CREATE UNIQUE INDEX provision_claims_by_device ON provision_claims (number) WHERE number > 0;
CREATE UNIQUE INDEX provision_claims_by_key ON provision_claims (spki);
CREATE UNIQUE INDEX provision_claims_by_certificate ON provision_claims (certificate_sha256);
CREATE INDEX provision_claims_by_previous ON provision_claims (previous_sha256);

-- SHA-256 of the SubjectPublicKeyInfo of each key in devices.credentials.
CREATE TABLE device_keys (
  device BIGINT NOT NULL REFERENCES devices ON DELETE CASCADE, spki BYTEA NOT NULL,
  PRIMARY KEY (device, spki)
);
CREATE INDEX device_keys_by_key ON device_keys (spki);
