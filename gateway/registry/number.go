package registry

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"

	"iotbridge/gateway"
)

// Numbers are drawn where IoT Core's were seen: 16 digits, below 2^53.
const (
	firstNumber = 2_500_000_000_000_000
	lastNumber  = 3_300_000_000_000_000
)

func drawNumber() (int64, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(lastNumber-firstNumber+1))
	if err != nil {
		return 0, err
	}
	return firstNumber + n.Int64(), nil
}

// takeNumber gives out the wished number, or with 0 one that is drawn, and never
// again: what was stored of a device under its number stays that device's when it is
// deleted.
func (t *tx) takeNumber(ctx context.Context, wish uint64) (int64, error) {
	for {
		number := int64(wish)
		if wish == 0 {
			var err error
			if number, err = drawNumber(); err != nil {
				return 0, err
			}
		}
		n, err := t.exec(ctx, `INSERT INTO numbers (number) VALUES ($1) ON CONFLICT DO NOTHING`, number)
		if err != nil || n == 1 {
			return number, err
		}
		if wish != 0 {
			return 0, fmt.Errorf("the number %d is, or was, a device's: %w", wish, gateway.ErrExists)
		}
	}
}
