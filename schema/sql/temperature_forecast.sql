-- Each device's next 24 hours as the model sees them, counted from the model's
-- last hour, with the band in which nine of ten hours are expected to lie.
SELECT
  project_id, location, registry_id, device_id,
  forecast_timestamp AS hour,
  forecast_value AS temperature,
  prediction_interval_lower_bound AS lower_bound,
  prediction_interval_upper_bound AS upper_bound
FROM ML.FORECAST(
  MODEL `${PROJECT}.${DATASET}.temperature_model`,
  STRUCT(24 AS horizon, 0.9 AS confidence_level)
)
ORDER BY project_id, location, registry_id, device_id, hour
