module iotbridge/internal/tools/googlesql

go 1.26.0

require (
	github.com/goccy/go-googlesql v0.4.0
	iotbridge v0.0.0
)

require (
	github.com/goccy/googlesqlwasm2go v0.2.0 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
)

replace iotbridge => ../../..
