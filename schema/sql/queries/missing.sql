-- Which readings did a device number and never get stored? The agent names a reading by
-- its spool's stream and a number that goes up by one, so a hole in the numbers is a
-- reading that is not there. told_lost of them the agent itself has reported as lost (the
-- spool was full, the card damaged); the rest is unexplained, and of the path behind the
-- gateway unless: the reading still waits in the device; the device was killed or lost
-- power, when it passes over up to 65,536 numbers that no reading had; the stream is that
-- of its memory, from which readings go to the spool under new names. Holes at the very
-- beginning and end of the time are not seen. Readings in quarantine are there.
-- Reads: temperature, the days from @from to @to; sensordata and quarantine, those days
-- and 31 more.
WITH numbered AS (
  SELECT
    project_id, location, registry_id, device_id,
    SUBSTR(reading_id, 1, STRPOS(reading_id, '-') - 1) AS stream,
    SAFE_CAST(SUBSTR(reading_id, STRPOS(reading_id, '-') + 1) AS INT64) AS number,
    event_time
  FROM (
    SELECT project_id, location, registry_id, device_id, reading_id, event_time
    FROM `${PROJECT}.${DATASET}.temperature`
    WHERE event_time >= @from AND event_time < @to
    UNION ALL
    SELECT
      JSON_VALUE(attributes, '$.projectId'),
      JSON_VALUE(attributes, '$.deviceRegistryLocation'),
      JSON_VALUE(attributes, '$.deviceRegistryId'),
      device_id,
      -- What has one of these reasons was read as JSON, and came from the device.
      IF(reason IN ('device_mismatch', 'missing_field', 'wrong_type', 'value_out_of_range', 'timestamp_out_of_range', 'rejected_by_bigquery'),
        JSON_VALUE(SAFE_CONVERT_BYTES_TO_STRING(data), '$.reading_id'), NULL),
      publish_time
    FROM `${PROJECT}.${DATASET}.quarantine`
    WHERE quarantine_time >= @from AND quarantine_time < TIMESTAMP_ADD(@to, INTERVAL 31 DAY)
  ) AS named
  WHERE REGEXP_CONTAINS(reading_id, '^[0-9a-f]{32}-[0-9]{1,18}$')
),
present AS (
  SELECT project_id, location, registry_id, device_id, stream, number, MIN(event_time) AS event_time
  FROM numbered
  GROUP BY project_id, location, registry_id, device_id, stream, number
),
steps AS (
  SELECT
    project_id, location, registry_id, device_id, stream, number, event_time,
    LAG(number) OVER (PARTITION BY project_id, location, registry_id, device_id, stream ORDER BY number) AS number_before,
    LAG(event_time) OVER (PARTITION BY project_id, location, registry_id, device_id, stream ORDER BY number) AS time_before
  FROM present
),
holes AS (
  SELECT
    project_id, location, registry_id, device_id, stream,
    number_before + 1 AS first_missing,
    number - 1 AS last_missing,
    time_before AS after_time,
    event_time AS before_time
  FROM steps
  WHERE number - number_before > 1
),
told AS (
  SELECT DISTINCT
    device_id,
    JSON_VALUE(payload, '$.gap.stream') AS stream,
    SAFE_CAST(JSON_VALUE(payload, '$.gap.first') AS INT64) AS first_lost,
    SAFE_CAST(JSON_VALUE(payload, '$.gap.last') AS INT64) AS last_lost
  FROM `${PROJECT}.${DATASET}.sensordata`
  WHERE publish_time >= @from AND publish_time < TIMESTAMP_ADD(@to, INTERVAL 31 DAY) AND sub_folder = 'gap'
),
explained AS (
  SELECT
    h.project_id, h.location, h.registry_id, h.device_id, h.stream, h.first_missing, h.last_missing, h.after_time, h.before_time,
    SUM(IF(t.stream IS NULL, 0, LEAST(h.last_missing, t.last_lost) - GREATEST(h.first_missing, t.first_lost) + 1)) AS told_lost
  FROM holes AS h
  LEFT JOIN told AS t
    ON t.device_id = h.device_id AND t.stream = h.stream AND t.first_lost <= h.last_missing AND t.last_lost >= h.first_missing
  GROUP BY h.project_id, h.location, h.registry_id, h.device_id, h.stream, h.first_missing, h.last_missing, h.after_time, h.before_time
)
SELECT
  project_id, location, registry_id, device_id, stream, first_missing, last_missing, after_time, before_time,
  last_missing - first_missing + 1 AS missing,
  LEAST(told_lost, last_missing - first_missing + 1) AS told_lost,
  last_missing - first_missing + 1 - LEAST(told_lost, last_missing - first_missing + 1) AS unexplained
FROM explained
ORDER BY unexplained DESC, missing DESC, device_id, stream, first_missing
