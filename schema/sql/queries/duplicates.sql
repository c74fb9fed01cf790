-- Who sends readings twice, and what is stored twice? stored_twice are rows beyond the
-- first of a message: a confirmation was lost behind the gateway. sent_twice are messages
-- beyond the first of a reading: the device has not heard the PUBACK, and sent again.
-- temperature_dedup shows one of each.
-- Reads: temperature, the days from @from to @to, few columns.
SELECT
  project_id, location, registry_id, device_id,
  COUNT(*) AS stored_rows,
  COUNT(DISTINCT message_id) AS messages,
  COUNT(DISTINCT COALESCE(reading_id, message_id)) AS readings,
  COUNT(*) - COUNT(DISTINCT message_id) AS stored_twice,
  COUNT(DISTINCT message_id) - COUNT(DISTINCT COALESCE(reading_id, message_id)) AS sent_twice
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time >= @from AND event_time < @to
GROUP BY project_id, location, registry_id, device_id
HAVING COUNT(*) > COUNT(DISTINCT COALESCE(reading_id, message_id))
ORDER BY sent_twice DESC, stored_twice DESC, device_id
