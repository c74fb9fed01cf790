//go:build !unix

package sensor

import (
	"errors"
	"os"
)

func readAttribute(path string, buf []byte) (int, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Read(buf)
}

func interrupted(error) bool { return false }

func gone(err error) bool { return errors.Is(err, os.ErrNotExist) }
