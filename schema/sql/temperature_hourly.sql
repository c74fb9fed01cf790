-- Each device's readings hour by hour, each reading counted once: how many,
-- their mean, lowest and highest temperature.
SELECT
  project_id, location, registry_id, device_id,
  TIMESTAMP_TRUNC(event_time, HOUR) AS hour,
  COUNT(*) AS readings,
  AVG(temperature) AS mean_temperature,
  MIN(temperature) AS min_temperature,
  MAX(temperature) AS max_temperature
FROM `${PROJECT}.${DATASET}.temperature_dedup`
GROUP BY project_id, location, registry_id, device_id, hour
