-- Whose message each row is, and which.
SELECT device_id, JSON_VALUE(payload, '$.reading_id') AS said
FROM `${PROJECT}.${DATASET}.sensordata`
WHERE publish_time >= @since
