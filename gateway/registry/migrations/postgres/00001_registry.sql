-- Times are microseconds since 1970, 0 is none. Lists and maps are JSON. What pages
-- go by is ordered by bytes, whatever the database's language.

-- +goose Up
CREATE TABLE settings (name TEXT PRIMARY KEY, value BYTEA NOT NULL);

CREATE TABLE registries (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  project TEXT COLLATE "C" NOT NULL, location TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
  routes TEXT NOT NULL, state_topic TEXT NOT NULL, mqtt BOOLEAN NOT NULL, http BOOLEAN NOT NULL,
  log_level INTEGER NOT NULL, authorities TEXT NOT NULL, updated BIGINT NOT NULL,
  UNIQUE (project, location, name)
);

CREATE TABLE devices (
  number BIGINT PRIMARY KEY, registry BIGINT NOT NULL REFERENCES registries, name TEXT COLLATE "C" NOT NULL,
  credentials TEXT NOT NULL, blocked BOOLEAN NOT NULL, metadata TEXT NOT NULL, log_level INTEGER NOT NULL,
  is_gateway BOOLEAN NOT NULL, auth_method INTEGER NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL,
  UNIQUE (registry, name)
);
CREATE INDEX gateways ON devices (registry, name) WHERE is_gateway;

-- What changes while a device lives, apart from what operators decide.
CREATE TABLE life (
  device BIGINT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  heartbeat BIGINT NOT NULL DEFAULT 0, event BIGINT NOT NULL DEFAULT 0, state BIGINT NOT NULL DEFAULT 0,
  config_send BIGINT NOT NULL DEFAULT 0, config_ack BIGINT NOT NULL DEFAULT 0,
  error BIGINT NOT NULL DEFAULT 0, error_code INTEGER NOT NULL DEFAULT 0, error_message TEXT NOT NULL DEFAULT '',
  via BIGINT NOT NULL DEFAULT 0, gateway TEXT NOT NULL DEFAULT ''
) WITH (fillfactor = 70);

CREATE TABLE configs (
  device BIGINT NOT NULL REFERENCES devices ON DELETE CASCADE, version BIGINT NOT NULL,
  data BYTEA NOT NULL, updated BIGINT NOT NULL, acked BIGINT NOT NULL,
  PRIMARY KEY (device, version)
);

CREATE TABLE states (
  device BIGINT NOT NULL REFERENCES devices ON DELETE CASCADE, number BIGINT NOT NULL,
  data BYTEA NOT NULL, updated BIGINT NOT NULL,
  PRIMARY KEY (device, number)
);

CREATE TABLE bindings (
  gateway BIGINT NOT NULL REFERENCES devices, device BIGINT NOT NULL REFERENCES devices ON DELETE CASCADE,
  PRIMARY KEY (gateway, device)
);
CREATE INDEX bindings_by_device ON bindings (device, gateway);

CREATE TABLE audit (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL,
  actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION audit_keeps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is only appended to';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_keeps BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_keeps();

-- One row a run of a gateway program. A run whose last beat is old holds nothing.
CREATE TABLE runs (id BIGINT PRIMARY KEY, beat TIMESTAMPTZ NOT NULL);

-- The last claim of each device; run is 0 when it was released.
CREATE TABLE claims (
  device BIGINT PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  epoch BIGINT NOT NULL, run BIGINT NOT NULL, instance TEXT NOT NULL
);

CREATE TABLE commands (
  id TEXT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now(),
  device BIGINT NOT NULL, sub_folder TEXT NOT NULL, data BYTEA NOT NULL
);
CREATE INDEX commands_by_age ON commands (at);

-- What gateways tell each other. run is who a command or an answer is for.
CREATE TABLE changes (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT now(),
  kind INTEGER NOT NULL, device BIGINT NOT NULL DEFAULT 0,
  project TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', registry TEXT NOT NULL DEFAULT '',
  instance TEXT NOT NULL DEFAULT '', epoch BIGINT NOT NULL DEFAULT 0,
  run BIGINT NOT NULL DEFAULT 0, command TEXT NOT NULL DEFAULT '', verdict TEXT NOT NULL DEFAULT ''
);
CREATE INDEX changes_by_age ON changes (at);
