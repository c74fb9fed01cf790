-- One row a reading: of the rows with the same registry, device and reading_id,
-- or the same message_id where the device gives no reading_id, the one that was
-- published first. A filter on event_time does not spare it reading the table.
SELECT
  device_id, device_num_id, registry_id, location, project_id, sub_folder, gateway_id,
  event_time, temperature, reading_id, extra, message_id, publish_time, ingest_time
FROM (
  SELECT
    device_id, device_num_id, registry_id, location, project_id, sub_folder, gateway_id,
    event_time, temperature, reading_id, extra, message_id, publish_time, ingest_time,
    ROW_NUMBER() OVER (
      PARTITION BY project_id, location, registry_id, device_id, reading_id, COALESCE(reading_id, message_id)
      ORDER BY publish_time, message_id, ingest_time
    ) AS nth
  FROM `${PROJECT}.${DATASET}.temperature`
) AS numbered
WHERE nth = 1
