-- Whose message each row is.
SELECT message_id, device_id, '' AS reason
FROM `${PROJECT}.${DATASET}.temperature`
WHERE publish_time >= @since
