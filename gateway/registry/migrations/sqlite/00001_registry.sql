-- Times are microseconds since 1970, 0 is none. Lists and maps are JSON.

-- +goose Up
PRAGMA application_id = 1768911986; -- "iotr"

CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;

CREATE TABLE registries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL, location TEXT NOT NULL, name TEXT NOT NULL,
  routes TEXT NOT NULL, state_topic TEXT NOT NULL, mqtt INTEGER NOT NULL, http INTEGER NOT NULL,
  log_level INTEGER NOT NULL, authorities TEXT NOT NULL, updated INTEGER NOT NULL,
  UNIQUE (project, location, name)
) STRICT;

CREATE TABLE devices (
  number INTEGER PRIMARY KEY, registry INTEGER NOT NULL REFERENCES registries, name TEXT NOT NULL,
  credentials TEXT NOT NULL, blocked INTEGER NOT NULL, metadata TEXT NOT NULL, log_level INTEGER NOT NULL,
  is_gateway INTEGER NOT NULL, auth_method INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
  UNIQUE (registry, name)
) STRICT;
CREATE INDEX gateways ON devices (registry, name) WHERE is_gateway;

-- What changes while a device lives, apart from what operators decide.
CREATE TABLE life (
  device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE,
  heartbeat INTEGER NOT NULL DEFAULT 0, event INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0,
  config_send INTEGER NOT NULL DEFAULT 0, config_ack INTEGER NOT NULL DEFAULT 0,
  error INTEGER NOT NULL DEFAULT 0, error_code INTEGER NOT NULL DEFAULT 0, error_message TEXT NOT NULL DEFAULT '',
  via INTEGER NOT NULL DEFAULT 0, gateway TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE configs (
  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, version INTEGER NOT NULL,
  data BLOB NOT NULL, updated INTEGER NOT NULL, acked INTEGER NOT NULL,
  PRIMARY KEY (device, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE states (
  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, number INTEGER NOT NULL,
  data BLOB NOT NULL, updated INTEGER NOT NULL,
  PRIMARY KEY (device, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE bindings (
  gateway INTEGER NOT NULL REFERENCES devices, device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE,
  PRIMARY KEY (gateway, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX bindings_by_device ON bindings (device, gateway);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,
  actor TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is only appended to');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
  SELECT raise(ABORT, 'the audit log is only appended to');
END;
-- +goose StatementEnd
