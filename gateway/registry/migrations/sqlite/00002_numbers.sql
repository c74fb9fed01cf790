-- The numbers that devices have, or had: none is given out twice.

-- +goose Up
CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT;
INSERT INTO numbers SELECT number FROM devices
  UNION SELECT CAST(substr(detail, 8) AS INTEGER) FROM audit WHERE action = 'create_device' AND detail LIKE 'number %';
