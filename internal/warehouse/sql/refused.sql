-- Refused messages by minute and reason.
SELECT TIMESTAMP_TRUNC(quarantine_time, MINUTE) AS minute, reason, COUNT(*) AS messages
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE quarantine_time >= @since
GROUP BY minute, reason
LIMIT 20000
