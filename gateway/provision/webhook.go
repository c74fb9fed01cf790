package provision

import "time"

const maxHookTime = 30 * time.Second

// decision is a webhook's word.
type decision string

const (
	allow   decision = "ALLOW"
	deny    decision = "DENY"
	pending decision = "PENDING"
)

// Hooks asks profiles' webhooks.
type Hooks struct {
	Private bool // addresses of private networks and of this machine may be asked as well
}
