output "iotbridge" {
  description = "What the programs and registries are told."
  value       = module.iotbridge
}
