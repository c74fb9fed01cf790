-- Devices that were heard in the chosen time, and not in the last minutes of it.
SELECT
  registry_id, device_id,
  MAX(publish_time) AS last_heard,
  TIMESTAMP_DIFF(TIMESTAMP('${__to:date:iso}'), MAX(publish_time), SECOND) AS silent,
  ARRAY_AGG(temperature ORDER BY event_time DESC LIMIT 1)[OFFSET(0)] AS last_temperature
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
  AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
GROUP BY registry_id, device_id
HAVING silent > 60 * COALESCE(SAFE_CAST('${silent_minutes}' AS INT64), 15)
ORDER BY silent DESC
LIMIT 200
