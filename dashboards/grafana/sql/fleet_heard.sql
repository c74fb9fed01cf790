-- How many devices and readings came.
SELECT
  COUNT(DISTINCT CONCAT(registry_id, '/', device_id)) AS devices,
  COUNT(*) AS readings
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
  AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
