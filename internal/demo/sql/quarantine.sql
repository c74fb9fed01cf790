-- Whose message each refusal is, which, and why.
SELECT device_id, reason, SAFE_CONVERT_BYTES_TO_STRING(data) AS said
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE publish_time >= @since
