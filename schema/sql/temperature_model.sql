-- Makes what forecast and anomalies read: one ARIMA_PLUS series a device, over
-- the hourly means of the last 60 days. It looks eight days ahead: run it again
-- each week, or anomalies has nothing to compare with.
CREATE OR REPLACE MODEL `${PROJECT}.${DATASET}.temperature_model`
OPTIONS (
  model_type = 'ARIMA_PLUS',
  time_series_timestamp_col = 'hour',
  time_series_data_col = 'mean_temperature',
  time_series_id_col = ['project_id', 'location', 'registry_id', 'device_id'],
  data_frequency = 'HOURLY',
  horizon = 192,
  clean_spikes_and_dips = TRUE
) AS
SELECT project_id, location, registry_id, device_id, hour, mean_temperature
FROM `${PROJECT}.${DATASET}.temperature_hourly`
WHERE hour >= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 60 DAY)
  AND hour < TIMESTAMP_TRUNC(CURRENT_TIMESTAMP(), HOUR)
