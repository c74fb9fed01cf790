CREATE TABLE IF NOT EXISTS `${PROJECT}.${DATASET}.temperature` (
  `device_id` STRING NOT NULL OPTIONS (description = "Name of the device whose key authenticated the connection. Set by the gateway, never taken from the body; unique within its registry."),
  `device_num_id` STRING OPTIONS (description = "The device's numeric id, as digits. It is never used again after a device is deleted, a name may be."),
  `registry_id` STRING OPTIONS (description = "Registry that the device belongs to."),
  `location` STRING OPTIONS (description = "Region of the registry, for example europe-west1."),
  `project_id` STRING OPTIONS (description = "Project of the registry."),
  `sub_folder` STRING OPTIONS (description = "What the device put after /events/ in the MQTT topic; an empty string when it put nothing."),
  `gateway_id` STRING OPTIONS (description = "Device that passed the message on for this one; NULL when the device was connected itself."),
  `event_time` TIMESTAMP NOT NULL OPTIONS (description = "When the reading was taken, by the device's clock, to the microsecond. The table is partitioned by its day."),
  `temperature` FLOAT64 NOT NULL OPTIONS (description = "Temperature in degrees Celsius, within the DS18B20's range of -55 to 125. 85.0 may be the sensor's power-on value."),
  `reading_id` STRING OPTIONS (description = "The device's own id of the reading, the same each time it sends the reading again; NULL when the device gives none."),
  `extra` JSON OPTIONS (description = "The members of the body that no other column takes, as they came; NULL when there are none. Said by the device, not verified."),
  `message_id` STRING NOT NULL OPTIONS (description = "Pub/Sub's id of the message, the same in each of its deliveries."),
  `publish_time` TIMESTAMP NOT NULL OPTIONS (description = "When Pub/Sub took the message from the gateway. It does not depend on the device's clock."),
  `ingest_time` TIMESTAMP OPTIONS (description = "When the worker made this row.")
)
PARTITION BY TIMESTAMP_TRUNC(`event_time`, DAY)
CLUSTER BY `device_id`
OPTIONS (description = "Temperature readings, one row a message; device_id is the identity whose key authenticated the connection. A lost confirmation can store a message twice, temperature_dedup shows it once.");
