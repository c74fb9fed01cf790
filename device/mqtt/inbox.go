package mqtt

import (
	"strings"
	"sync"
	"unicode/utf8"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/zap"

	"iotbridge/device"
)

// The largest payloads that IoT Core sends, and that are handed on.
const (
	MaxConfig    = 64 << 10
	MaxCommand   = 256 << 10
	maxSubfolder = 256
)

// inbox sorts what comes by its topic, and bounds it. paho calls take, one message at
// a time and in the order in which they came.
type inbox struct {
	to               device.Inbox
	config, commands string // topics
	log              *zap.Logger
	once             sync.Once
}

func newInbox(to device.Inbox, u *Uplink) *inbox {
	return &inbox{to: to, config: "/devices/" + u.Device + "/config", commands: "/devices/" + u.Device + "/commands", log: u.Log}
}

func (in *inbox) take(_ paho.Client, m paho.Message) {
	topic, data := m.Topic(), m.Payload()
	folder, below := strings.CutPrefix(topic, in.commands)
	switch {
	case topic == in.config && len(data) <= MaxConfig:
		in.to.Config(data)
	case below && len(data) <= MaxCommand && isFolder(folder):
		in.to.Command(strings.TrimPrefix(folder, "/"), data)
	default:
		in.once.Do(func() {
			in.log.Warn("the gateway sent something that is too large, or for a topic that is not ours: dropped, as will be more of it",
				zap.Int("bytes", len(data)), zap.Bool("config", topic == in.config))
		})
	}
}

// isFolder takes what follows commands in a topic: nothing, or "/" and a subfolder.
func isFolder(s string) bool {
	return s == "" || s[0] == '/' && len(s) <= 1+maxSubfolder && utf8.ValidString(s)
}
