-- Devices with the most rows that repeat a reading, as temperature_dedup tells
-- readings apart.
SELECT registry_id, device_id, stored, stored - readings AS duplicates, (stored - readings) / stored AS share
FROM (
  SELECT
    registry_id, device_id, COUNT(*) AS stored,
    COUNT(DISTINCT CONCAT(IF(reading_id IS NULL, 'm', 'r'), COALESCE(reading_id, message_id))) AS readings
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time BETWEEN TIMESTAMP('${__from:date:iso}') AND TIMESTAMP('${__to:date:iso}')
    AND REGEXP_CONTAINS(registry_id, r'${registry}') AND REGEXP_CONTAINS(device_id, r'${device}')
  GROUP BY registry_id, device_id
)
WHERE stored > readings
ORDER BY duplicates DESC
LIMIT 100
