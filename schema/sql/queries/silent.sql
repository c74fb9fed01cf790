-- When was a device silent for more than @times (a number, 5.0) its usual interval, the
-- median from one reading to the next, between @from and @to? silent_until is NULL where
-- it still is, at @to or now. A device without three readings in that time has no usual
-- interval and is left out; so is one that said nothing at all.
-- Reads: temperature, the days from @from to @to, few columns.
WITH readings AS (
  SELECT DISTINCT project_id, location, registry_id, device_id, event_time
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time >= @from AND event_time < @to
),
steps AS (
  SELECT
    project_id, location, registry_id, device_id, event_time,
    LEAD(event_time) OVER (PARTITION BY project_id, location, registry_id, device_id ORDER BY event_time) AS next_time
  FROM readings
),
ranked AS (
  SELECT
    project_id, location, registry_id, device_id,
    TIMESTAMP_DIFF(next_time, event_time, MICROSECOND) AS length,
    ROW_NUMBER() OVER (
      PARTITION BY project_id, location, registry_id, device_id
      ORDER BY TIMESTAMP_DIFF(next_time, event_time, MICROSECOND)
    ) AS nth,
    COUNT(*) OVER (PARTITION BY project_id, location, registry_id, device_id) AS steps
  FROM steps
  WHERE next_time IS NOT NULL
),
usual AS (
  SELECT project_id, location, registry_id, device_id, MIN(length) AS length
  FROM ranked
  WHERE steps >= 2 AND 2 * nth >= steps
  GROUP BY project_id, location, registry_id, device_id
)
SELECT
  s.project_id, s.location, s.registry_id, s.device_id,
  s.event_time AS silent_from,
  s.next_time AS silent_until,
  TIMESTAMP_DIFF(COALESCE(s.next_time, LEAST(@to, CURRENT_TIMESTAMP())), s.event_time, MICROSECOND) / 1000000.0 AS silent_seconds,
  u.length / 1000000.0 AS usual_seconds
FROM steps AS s
JOIN usual AS u
  ON u.device_id = s.device_id
  AND COALESCE(u.registry_id, '') = COALESCE(s.registry_id, '')
  AND COALESCE(u.location, '') = COALESCE(s.location, '')
  AND COALESCE(u.project_id, '') = COALESCE(s.project_id, '')
WHERE TIMESTAMP_DIFF(COALESCE(s.next_time, LEAST(@to, CURRENT_TIMESTAMP())), s.event_time, MICROSECOND) > @times * u.length
ORDER BY silent_seconds DESC, s.device_id, silent_from
