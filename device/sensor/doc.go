// Package sensor measures: DS18B20 probes over the kernel's 1-wire files, any
// other sensor through a command, a simulated one, and several of them as one.
//
//	Join ─┬─ OneWire ── a reader a probe ──▶ /sys/bus/w1/devices/28-…/w1_slave
//	      ├─ Exec ───── a process ─────────▶ COMMAND: a number, or a JSON object
//	      └─ Simulated
//
// One goroutine calls Sample; it returns within its context even when the kernel
// does not: what measures runs beside it, and is left when time is up.
//
//	state of a reader   leaves it when
//	idle                the next Sample starts it
//	measuring           a value or an error is there, or time is up
//	left behind         the kernel has answered after all; that value is too old, and dropped
//
// A reader that was left behind is not started again before it has ended, so a probe
// never has more than one. It cannot be ended from here: the kernel holds it.
//
// What may fail, and the class it is counted under:
//
//	crc        the probe's answer was garbled, four times in a row
//	power_on   85 °C: what a probe says that has not measured since it got power
//	range      outside of what the sensor can measure: −127 and 127.9 mean a bad wire
//	missing    the probe, its files, the bus or the command are not there
//	format     bytes that are not what such a sensor writes
//	io         the read failed, or the command did
//	timeout    no answer within the time, or still none to an earlier question
//
// An error belongs to one probe; the others' samples are returned beside it.
package sensor
