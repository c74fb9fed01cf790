package ops

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Healthy asks the operations listener at HOST:PORT, or on this machine where it names
// no host, whether its program can answer: what a container without a shell is asked
// with. A program that holds is well, and must not be started anew for it.
func Healthy(ctx context.Context, addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("operations listener: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	url := "http://" + addr + "/healthz" // without a host it is this machine
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // no proxy
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
