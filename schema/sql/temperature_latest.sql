-- The last reading of each device, by the device's own clock.
SELECT
  device_id, device_num_id, registry_id, location, project_id, sub_folder, gateway_id,
  event_time, temperature, reading_id, extra, message_id, publish_time, ingest_time
FROM (
  SELECT
    device_id, device_num_id, registry_id, location, project_id, sub_folder, gateway_id,
    event_time, temperature, reading_id, extra, message_id, publish_time, ingest_time,
    ROW_NUMBER() OVER (
      PARTITION BY project_id, location, registry_id, device_id
      ORDER BY event_time DESC, publish_time DESC, message_id DESC, ingest_time DESC
    ) AS nth
  FROM `${PROJECT}.${DATASET}.temperature`
) AS numbered
WHERE nth = 1
