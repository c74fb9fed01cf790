CREATE TABLE IF NOT EXISTS `${PROJECT}.${DATASET}.quarantine` (
  `message_id` STRING OPTIONS (description = "Pub/Sub's id of the message; a replay keeps it."),
  `publish_time` TIMESTAMP OPTIONS (description = "When Pub/Sub took the message from the gateway."),
  `quarantine_time` TIMESTAMP OPTIONS (description = "When the worker refused the message. The table is partitioned by its day."),
  `subscription` STRING OPTIONS (description = "Full name of the subscription that the message came through."),
  `reason` STRING OPTIONS (description = "Why, as one word of a closed set, for example device_mismatch or malformed_body."),
  `detail` STRING OPTIONS (description = "What exactly was wrong, at most 256 printable bytes; names the member or column, never quotes the payload."),
  `device_id` STRING OPTIONS (description = "Device that the gateway says sent the message. To be trusted unless reason is missing_identity, attestation_missing or attestation_invalid; NULL when the message does not say."),
  `claimed_device_id` STRING OPTIONS (description = "Device that the body claims to be from, at most 255 bytes; NULL when it claims none that can be told. Never to be trusted."),
  `attributes` JSON OPTIONS (description = "All attributes of the message, as one JSON object of strings."),
  `data` BYTES OPTIONS (description = "The message's body, byte for byte. Never to be trusted."),
  `delivery_attempt` INT64 OPTIONS (description = "Which delivery of the message was refused, from 1; NULL where the subscription does not count."),
  `worker` STRING OPTIONS (description = "Name of the worker that refused the message.")
)
PARTITION BY TIMESTAMP_TRUNC(`quarantine_time`, DAY)
CLUSTER BY `reason`, `device_id`
OPTIONS (description = "Messages that were refused, one row a verdict, with raw bytes, attributes and reason, as replay needs them. Nothing in data or claimed_device_id is to be trusted.");
