-- Whose reading each row is, and which.
SELECT device_id, reading_id AS said
FROM `${PROJECT}.${DATASET}.temperature`
WHERE publish_time >= @since
