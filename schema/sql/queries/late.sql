-- How long did readings wait in the devices' spools, and whose clock is wrong? By device:
-- how many were published within a minute of the measurement, within an hour, a day, later;
-- the oldest; those from more than a minute ahead of their publishing (the clock is fast);
-- those of which the agent itself says that it did not know the time (in none of the
-- other columns).
-- Reads: temperature, the days from @from to @to.
SELECT
  project_id, location, registry_id, device_id,
  COUNTIF(known AND age BETWEEN -60 AND 60) AS within_minute,
  COUNTIF(known AND age > 60 AND age <= 3600) AS within_hour,
  COUNTIF(known AND age > 3600 AND age <= 86400) AS within_day,
  COUNTIF(known AND age > 86400) AS later,
  MAX(IF(known, age, NULL)) AS oldest_seconds,
  COUNTIF(known AND age < -60) AS from_the_future,
  COUNTIF(NOT known) AS without_time
FROM (
  SELECT
    project_id, location, registry_id, device_id,
    TIMESTAMP_DIFF(publish_time, event_time, SECOND) AS age,
    COALESCE(JSON_VALUE(extra, '$.clock'), '') != 'unsynced' AS known
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time >= @from AND event_time < @to
) AS aged
GROUP BY project_id, location, registry_id, device_id
ORDER BY later DESC, within_day DESC, within_hour DESC, device_id
