-- What a device's connections were: the open one (ended is 0), and the latest others.

-- +goose Up
CREATE TABLE sessions (
  device BIGINT NOT NULL REFERENCES devices ON DELETE CASCADE, began BIGINT NOT NULL, ended BIGINT NOT NULL,
  reason TEXT NOT NULL, instance TEXT NOT NULL, address TEXT NOT NULL,
  PRIMARY KEY (device, began)
);

-- The counters of each gateway that runs, as JSON.
CREATE TABLE pulses (run BIGINT PRIMARY KEY REFERENCES runs ON DELETE CASCADE, body TEXT NOT NULL);
