// Package config reads a program's settings into one struct: each field is a flag,
// an environment variable and a key of a YAML file, and the first of these that
// says something wins.
//
//	--batch-rows 500   >   INGEST_BATCH_ROWS=500   >   batch-rows: 500   >   default
//
// The struct is kong's (github.com/alecthomas/kong); a field of type File names the
// YAML file. The file is read strictly: a key that no flag has, a key written twice,
// a value that its flag would refuse, an alias: each is an error with file and line,
// and the program does not start. Flags of a subcommand stand below its name:
//
//	log-level: debug
//	local:
//	  devices: 5
package config
