-- The longest that a reading waited on its device before the gateway had it, of the
-- 25 devices that waited longest.
SELECT
  TIMESTAMP_SECONDS(step * DIV(UNIX_SECONDS(publish_time), step)) AS time,
  device,
  MAX(waited) AS waited
FROM (
  SELECT publish_time, device, waited, step, DENSE_RANK() OVER (ORDER BY longest DESC, device) AS nth
  FROM (
    SELECT
      publish_time, CONCAT(registry_id, '/', device_id) AS device,
      TIMESTAMP_DIFF(publish_time, event_time, MILLISECOND) / 1000 AS waited,
      GREATEST(60, DIV(COALESCE(SAFE_CAST('${__interval_ms}' AS INT64), 0), 1000)) AS step,
      MAX(TIMESTAMP_DIFF(publish_time, event_time, MILLISECOND)) OVER (PARTITION BY registry_id, device_id) AS longest
    FROM `${PROJECT}.${DATASET}.temperature`
    WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
      AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
  )
)
WHERE nth <= 25
GROUP BY time, device
ORDER BY time
