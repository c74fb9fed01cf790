-- Mean temperature of each device, of the first 25 by name.
SELECT
  TIMESTAMP_SECONDS(step * DIV(UNIX_SECONDS(event_time), step)) AS time,
  device_id AS device,
  AVG(temperature) AS temperature
FROM (
  SELECT
    event_time, temperature, CONCAT(registry_id, '/', device_id) AS device_id,
    GREATEST(60, DIV(COALESCE(SAFE_CAST('${__interval_ms}' AS INT64), 0), 1000)) AS step,
    DENSE_RANK() OVER (ORDER BY registry_id, device_id) AS nth
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
    AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
)
WHERE nth <= 25
GROUP BY time, device
ORDER BY time
