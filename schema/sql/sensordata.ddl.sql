CREATE TABLE IF NOT EXISTS `${PROJECT}.${DATASET}.sensordata` (
  `device_id` STRING NOT NULL OPTIONS (description = "Name of the device whose key authenticated the connection. Set by the gateway, never taken from the body; unique within its registry."),
  `device_num_id` STRING OPTIONS (description = "The device's numeric id, as digits. It is never used again after a device is deleted, a name may be."),
  `registry_id` STRING OPTIONS (description = "Registry that the device belongs to."),
  `location` STRING OPTIONS (description = "Region of the registry, for example europe-west1."),
  `project_id` STRING OPTIONS (description = "Project of the registry."),
  `sub_folder` STRING OPTIONS (description = "What the device put after /events/ in the MQTT topic; an empty string when it put nothing."),
  `gateway_id` STRING OPTIONS (description = "Device that passed the message on for this one; NULL when the device was connected itself."),
  `payload` JSON NOT NULL OPTIONS (description = "The whole body, one JSON object. Said by the device, not verified, but for a device_id in it, which agrees with the column."),
  `message_id` STRING NOT NULL OPTIONS (description = "Pub/Sub's id of the message, the same in each of its deliveries."),
  `publish_time` TIMESTAMP NOT NULL OPTIONS (description = "When Pub/Sub took the message from the gateway. The table is partitioned by its day."),
  `ingest_time` TIMESTAMP OPTIONS (description = "When the worker made this row.")
)
PARTITION BY TIMESTAMP_TRUNC(`publish_time`, DAY)
CLUSTER BY `device_id`
OPTIONS (description = "Telemetry outside the topics of known sensors, one row a message with the body kept whole; device_id is the identity whose key authenticated the connection.");
