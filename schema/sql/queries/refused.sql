-- Whose messages were refused, and why? device_id is the sender as the gateway knows it,
-- but with missing_identity and attestation_* nobody knows; claimed are the ids that its
-- bodies named, of which one is an example. A message that came in several deliveries
-- counts once.
-- Reads: quarantine, the days from @from to @to.
SELECT
  reason,
  JSON_VALUE(attributes, '$.projectId') AS project_id,
  JSON_VALUE(attributes, '$.deviceRegistryLocation') AS location,
  JSON_VALUE(attributes, '$.deviceRegistryId') AS registry_id,
  device_id,
  COUNT(DISTINCT message_id) AS messages,
  COUNT(DISTINCT claimed_device_id) AS claimed,
  MIN(claimed_device_id) AS one_claimed,
  MIN(quarantine_time) AS first_refused,
  MAX(quarantine_time) AS last_refused
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE quarantine_time >= @from AND quarantine_time < @to
GROUP BY reason, project_id, location, registry_id, device_id
ORDER BY messages DESC, reason, device_id
