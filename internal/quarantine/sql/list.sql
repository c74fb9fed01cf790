-- The newest refusals, without attributes and data.
SELECT message_id, publish_time, quarantine_time, subscription, reason, detail, device_id, claimed_device_id, delivery_attempt, worker
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE quarantine_time >= @since AND quarantine_time < @before
  AND (@reason = '' OR reason = @reason)
  AND (@device = '' OR device_id = @device OR claimed_device_id = @device)
  AND (@registry = '' OR JSON_VALUE(attributes, '$.deviceRegistryId') = @registry
    AND JSON_VALUE(attributes, '$.deviceRegistryLocation') = @location AND JSON_VALUE(attributes, '$.projectId') = @project)
ORDER BY quarantine_time DESC, message_id
LIMIT @limit
