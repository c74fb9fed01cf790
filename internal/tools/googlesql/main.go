package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	var dirs []string
	flag.Func("dir", "`folder` whose *.sql are analysed beside the product's own; may be repeated", func(dir string) error {
		dirs = append(dirs, dir)
		return nil
	})
	flag.Parse()
	if err := run(dirs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run analyses the product's texts and those of the folders, one line each.
func run(dirs []string) error {
	texts, err := product()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		more, err := files(dir, "")
		if err != nil {
			return err
		}
		texts = append(texts, more...)
	}
	c, err := newCatalog()
	if err != nil {
		return err
	}
	wrong := 0
	for _, t := range texts {
		n, err := c.analyze(t.sql)
		if err != nil {
			wrong++
			fmt.Printf("%s: %v\n", t.name, err)
			continue
		}
		fmt.Printf("%s: ok, %d statements\n", t.name, n)
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d texts are no GoogleSQL", wrong, len(texts))
	}
	return nil
}
