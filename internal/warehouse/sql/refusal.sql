-- Every refusal of one message, whole.
SELECT message_id, publish_time, quarantine_time, subscription, reason, detail, device_id, claimed_device_id, attributes, data, delivery_attempt, worker
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE message_id = @message_id
ORDER BY quarantine_time
LIMIT 20
