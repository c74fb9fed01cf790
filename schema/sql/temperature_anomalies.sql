-- Hours since the model was made that it did not expect: the mean lies outside
-- the band that holds 99 of 100 hours. A sensor that fails, a window left open.
SELECT
  project_id, location, registry_id, device_id,
  hour, mean_temperature, lower_bound, upper_bound, anomaly_probability
FROM ML.DETECT_ANOMALIES(
  MODEL `${PROJECT}.${DATASET}.temperature_model`,
  STRUCT(0.99 AS anomaly_prob_threshold),
  (
    SELECT project_id, location, registry_id, device_id, hour, mean_temperature
    FROM `${PROJECT}.${DATASET}.temperature_hourly`
    WHERE hour >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 DAY)
      AND hour < TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR)
  )
)
WHERE is_anomaly
ORDER BY anomaly_probability DESC, project_id, location, registry_id, device_id, hour
