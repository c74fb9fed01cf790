-- Rows by the minute in which they were stored, and by the tenths of a second that they
-- had waited since they were published. Readings older than a day are not counted.
SELECT TIMESTAMP_TRUNC(ingest_time, MINUTE) AS minute, DIV(TIMESTAMP_DIFF(ingest_time, publish_time, MILLISECOND), 100) AS tenths, COUNT(*) AS messages
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time >= TIMESTAMP_SUB(@since, INTERVAL 1 DAY) AND ingest_time >= @since
GROUP BY minute, tenths
ORDER BY minute, tenths
LIMIT 20000
