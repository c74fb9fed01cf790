-- Whose message each row is, and why it was refused.
SELECT message_id, device_id, reason
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE publish_time >= @since
