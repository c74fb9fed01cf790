-- Each device's next 24 hours as Google's pretrained model TimesFM sees them, from the
-- hourly means of the last 14 days: no model of one's own has to be made or kept fresh.
-- A device with too few hours has a row that says so in ai_forecast_status.
SELECT
  project_id, location, registry_id, device_id,
  forecast_timestamp AS hour,
  forecast_value AS temperature,
  prediction_interval_lower_bound AS lower_bound,
  prediction_interval_upper_bound AS upper_bound,
  ai_forecast_status
FROM AI.FORECAST(
  (
    SELECT
      project_id, location, registry_id, device_id,
      TIMESTAMP_TRUNC(event_time, HOUR) AS hour,
      AVG(temperature) AS mean_temperature
    FROM `${PROJECT}.${DATASET}.temperature`
    WHERE event_time >= TIMESTAMP_SUB(TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR), INTERVAL 14 DAY)
      AND event_time < TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR)
    GROUP BY project_id, location, registry_id, device_id, hour
  ),
  data_col => 'mean_temperature',
  timestamp_col => 'hour',
  id_cols => ['project_id', 'location', 'registry_id', 'device_id'],
  horizon => 24,
  confidence_level => 0.9
)
ORDER BY project_id, location, registry_id, device_id, hour
