-- What a replay of one subscription looks at, and whether the table already has it.
SELECT message_id, publish_time, quarantine_time, subscription, reason, detail, device_id, claimed_device_id, attributes, data, delivery_attempt, worker,
  message_id IN (SELECT t.message_id FROM `${PROJECT}.${DATASET}.temperature` AS t) AS stored
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE quarantine_time >= @since
  AND subscription = @subscription
  AND (@reason = '' OR reason = @reason)
  AND (@device = '' OR device_id = @device OR claimed_device_id = @device)
  AND (@message_id = '' OR message_id = @message_id)
ORDER BY quarantine_time, message_id
