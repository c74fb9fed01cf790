package loadtest

import (
	"context"
	"fmt"
	"net"
)

// onThisMachine refuses an address that is, or may be, on another one.
func onThisMachine(ctx context.Context, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	for _, ip := range ips {
		if ip = ip.Unmap(); !ip.IsLoopback() && !ip.IsUnspecified() {
			return fmt.Errorf("%s is not on this machine: what loads somebody else's server is an attack; --i-own-this-server says that it is yours", address)
		}
	}
	return nil
}
