-- Share of the rows that repeat a reading, as temperature_dedup tells readings apart.
SELECT
  SAFE_DIVIDE(
    COUNT(*) - COUNT(DISTINCT CONCAT(registry_id, '/', device_id, IF(reading_id IS NULL, '/m', '/r'), COALESCE(reading_id, message_id))),
    COUNT(*)) AS duplicates
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
  AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
