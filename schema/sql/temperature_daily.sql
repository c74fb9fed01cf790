-- Each device's readings day by day in UTC, each reading counted once: how many, in
-- how many hours, their mean, lowest and highest temperature.
SELECT
  project_id, location, registry_id, device_id,
  TIMESTAMP_TRUNC(event_time, DAY) AS day,
  COUNT(*) AS readings,
  COUNT(DISTINCT TIMESTAMP_TRUNC(event_time, HOUR)) AS hours_with_readings,
  AVG(temperature) AS mean_temperature,
  MIN(temperature) AS min_temperature,
  MAX(temperature) AS max_temperature
FROM `${PROJECT}.${DATASET}.temperature_dedup`
GROUP BY project_id, location, registry_id, device_id, day
