-- Whose message each row is.
SELECT message_id, device_id, '' AS reason
FROM `${TABLE}`
WHERE publish_time >= @since
