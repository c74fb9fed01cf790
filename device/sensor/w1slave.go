package sensor

import (
	"bytes"
	"strconv"
	"strings"
)

// Thousandths of a degree, as the driver writes them.
const (
	lowest  = -55_000
	highest = 125_000
	powerOn = 85_000 // what the scratchpad holds after power-on
)

// parseW1Slave reads what w1_therm writes into w1_slave, in m°C: the probe's nine
// bytes and the verdict on their checksum, then the bytes again and the temperature.
//
//	72 01 4b 46 7f ff 0e 10 57 : crc=57 YES
//	72 01 4b 46 7f ff 0e 10 57 t=23125
func parseW1Slave(text []byte) (int, *Error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return 0, fault(Format, "w1_slave is empty")
	}
	verdict, rest, _ := strings.Cut(string(text), "\n")
	value, rest, _ := strings.Cut(rest, "\n")
	switch {
	case strings.HasSuffix(verdict, " NO"):
		return 0, fault(CRC, "the checksum is wrong: check the wire, its length and the pull-up resistor")
	case !strings.HasSuffix(verdict, " YES") || !strings.Contains(verdict, " crc="):
		return 0, fault(Format, "w1_slave has no checksum line")
	case strings.TrimSpace(rest) != "":
		return 0, fault(Format, "w1_slave has more than two lines")
	case strings.HasPrefix(verdict, "00 00 00 00 00 00 00 00 00 "):
		// A line that is shorted to ground: the checksum of zeros is zero.
		return 0, fault(CRC, "the probe's answer is all zeros: the data line is shorted to ground")
	}
	_, number, found := strings.Cut(value, " t=")
	if !found {
		return 0, fault(Format, "w1_slave has no t=")
	}
	return parseMilli(number)
}

// parseMilli reads thousandths of a degree and holds them against what a DS18B20
// can measure.
func parseMilli(text string) (int, *Error) {
	text = strings.TrimSuffix(text, "\n")
	digits := strings.TrimPrefix(text, "-")
	if len(digits) == 0 || len(digits) > 7 || strings.Trim(digits, "0123456789") != "" {
		return 0, fault(Format, "%s is not a temperature in thousandths of a degree", clip(strconv.Quote(text), 40))
	}
	milli, err := strconv.Atoi(text)
	if err != nil {
		return 0, fault(Format, "%w", err)
	}
	if milli < lowest || milli > highest {
		return 0, fault(Range, "%g °C is not within −55 and 125: check the wire and the power", float64(milli)/1000)
	}
	return milli, nil
}

// clip cuts text to so many bytes.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
