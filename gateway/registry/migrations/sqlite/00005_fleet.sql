-- What a device's connections were: the open one (ended is 0), and the latest others.

-- +goose Up
CREATE TABLE sessions (
  device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE, began INTEGER NOT NULL, ended INTEGER NOT NULL,
  reason TEXT NOT NULL, instance TEXT NOT NULL, address TEXT NOT NULL,
  PRIMARY KEY (device, began)
) STRICT, WITHOUT ROWID;
