-- What did each device measure, hour by hour, between @from and @to? The columns of
-- temperature_hourly, over these days alone: the view reads the whole table each time.
-- Reads: temperature, the days from @from to @to. A reading that came twice with two
-- timestamps on both sides of @from or @to counts once on either side.
SELECT
  project_id, location, registry_id, device_id,
  TIMESTAMP_TRUNC(event_time, HOUR) AS hour,
  COUNT(*) AS readings,
  AVG(temperature) AS mean_temperature,
  MIN(temperature) AS min_temperature,
  MAX(temperature) AS max_temperature
FROM (
  SELECT
    project_id, location, registry_id, device_id, event_time, temperature,
    ROW_NUMBER() OVER (
      PARTITION BY project_id, location, registry_id, device_id, reading_id, COALESCE(reading_id, message_id)
      ORDER BY publish_time, message_id, ingest_time
    ) AS nth
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time >= @from AND event_time < @to
) AS numbered
WHERE nth = 1
GROUP BY project_id, location, registry_id, device_id, hour
ORDER BY project_id, location, registry_id, device_id, hour
