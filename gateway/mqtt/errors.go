package mqtt

import "encoding/json"

// complaint is what a gateway hears on its errors topic. Its form and texts are IoT
// Core's, but for the text of a device that cannot be attached.
type complaint struct {
	Type        string        `json:"error_type"`
	Description string        `json:"description"`
	Device      string        `json:"device_id"`
	About       *aboutMessage `json:"mqtt_message_info,omitempty"`
}

type aboutMessage struct {
	Type     string `json:"message_type"`
	Topic    string `json:"topic"`
	PacketID uint16 `json:"packet_id,omitempty"`
}

func notAttached(m message) complaint {
	return complaint{
		"GATEWAY_DEVICE_NOT_FOUND", "The specified device with ID '" + m.topic.Device + "' is not attached to the gateway.",
		m.topic.Device, &aboutMessage{"PUBLISH", m.name, m.id},
	}
}

func notAttachable(m message) complaint {
	return complaint{
		"GATEWAY_ATTACHMENT_ERROR", "The specified device with ID '" + m.topic.Device + "' could not be attached to the gateway.",
		m.topic.Device, &aboutMessage{"PUBLISH", m.name, m.id},
	}
}

func deviceError(device string) complaint {
	return complaint{"GATEWAY_DETACHMENT_DEVICE_ERROR", "Device detached because of a device error.", device, nil}
}

// complain tells the gateway, if it has subscribed to its errors.
func (c *session) complain(what complaint) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errors == "" {
		return false
	}
	text, err := json.Marshal(what)
	if err != nil {
		return false
	}
	c.server.Metrics.message("errors")
	c.endLocked(c.tell(c.errors, 0, 0, text, false))
	return true
}
