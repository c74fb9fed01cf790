-- The latest readings of one device.
SELECT event_time, temperature
FROM `${PROJECT}.${DATASET}.temperature`
WHERE event_time >= @since AND device_id = @device AND registry_id = @registry AND location = @location AND project_id = @project
ORDER BY event_time DESC
LIMIT @limit
