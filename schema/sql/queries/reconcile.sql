-- Did everything arrive that the gateway has acknowledged, hour by hour of publishing? The
-- gateway's side is Prometheus's, for the hour that ends at T:
--   sum(increase(gateway_publish_messages_total{result="confirmed"}[1h] @ T))
-- It counts what Pub/Sub has confirmed: each copy of a reading that was published, and
-- devices' states where a registry has a topic for them. Here a message is counted once,
-- however often it was stored. Prometheus extrapolates, so an hour may differ a little; over
-- days the two must agree, but for the states. Fewer here, and staying fewer when the backlog
-- is empty, is a loss: look at missing.sql, and for a topic that no worker serves.
-- Reads: temperature, the days of measurement from 31 days before @from to a day after
-- @to; sensordata and quarantine, the days of @from to @to, the latter and 31 more. A reading
-- whose clock was further off is not counted: leave event_time out to count it, too.
WITH messages AS (
  SELECT message_id, publish_time, 1 AS stored
  FROM `${PROJECT}.${DATASET}.temperature`
  WHERE event_time >= TIMESTAMP_SUB(@from, INTERVAL 31 DAY) AND event_time < TIMESTAMP_ADD(@to, INTERVAL 1 DAY)
    AND publish_time >= @from AND publish_time < @to
  UNION ALL
  SELECT message_id, publish_time, 1
  FROM `${PROJECT}.${DATASET}.sensordata`
  WHERE publish_time >= @from AND publish_time < @to
  UNION ALL
  SELECT message_id, publish_time, 0
  FROM `${PROJECT}.${DATASET}.quarantine`
  WHERE quarantine_time >= @from AND quarantine_time < TIMESTAMP_ADD(@to, INTERVAL 31 DAY)
    AND publish_time >= @from AND publish_time < @to
),
verdicts AS (
  SELECT message_id, MIN(publish_time) AS publish_time, MAX(stored) AS stored, COUNT(*) AS rows_stored
  FROM messages
  GROUP BY message_id
)
SELECT
  TIMESTAMP_TRUNC(publish_time, HOUR) AS hour,
  COUNT(*) AS messages,
  SUM(stored) AS stored,
  SUM(1 - stored) AS quarantined,
  SUM(rows_stored) - COUNT(*) AS extra_rows
FROM verdicts
GROUP BY hour
ORDER BY hour
