-- Devices with the most messages in quarantine, by reason, with the last one's words.
SELECT
  device_id, reason,
  COUNT(*) AS messages,
  MAX(quarantine_time) AS last,
  COUNT(DISTINCT claimed_device_id) AS claimed_devices,
  ARRAY_AGG(detail ORDER BY quarantine_time DESC LIMIT 1)[OFFSET(0)] AS last_detail
FROM `${PROJECT}.${DATASET}.quarantine`
WHERE quarantine_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
  AND REGEXP_CONTAINS(COALESCE(device_id, ''), r'${device}')
GROUP BY device_id, reason
ORDER BY messages DESC
LIMIT 200
