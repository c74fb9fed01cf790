-- Claims by who asked for them, to be counted.

-- +goose Up
CREATE INDEX provision_claims_by_asker ON provision_claims (profile, bootstrap, state);
