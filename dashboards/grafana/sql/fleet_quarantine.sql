-- Messages in quarantine, by reason.
SELECT
  TIMESTAMP_SECONDS(step * DIV(UNIX_SECONDS(quarantine_time), step)) AS time,
  reason,
  COUNT(*) AS messages
FROM (
  SELECT quarantine_time, reason, GREATEST(60, DIV(COALESCE(SAFE_CAST('${__interval_ms}' AS INT64), 0), 1000)) AS step
  FROM `${PROJECT}.${DATASET}.quarantine`
  WHERE quarantine_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
    AND REGEXP_CONTAINS(COALESCE(device_id, ''), r'${device}')
)
GROUP BY time, reason
ORDER BY time
