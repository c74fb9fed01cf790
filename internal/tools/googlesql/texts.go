package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"iotbridge/schema"
)

// root is the product's folder, seen from this module.
var root = filepath.Join("..", "..", "..")

// text is one SQL text and where it comes from.
type text struct{ name, sql string }

// product returns the texts that the code makes, and of the product's *.sql
// those that are for BigQuery: they name the dataset by its placeholder.
func product() ([]text, error) {
	var texts []text
	for _, name := range schema.BuiltinNames() {
		table, err := schema.Builtin(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text{"table " + name, table.DDL(project, dataset)})
	}
	for _, v := range schema.Views(project, dataset) {
		texts = append(texts, text{"view " + v.Name, v.DDL(project, dataset)})
	}
	stored, err := files(root, schema.DatasetPlaceholder)
	return append(texts, stored...), err
}

// files returns the *.sql below a folder that contain the word, their
// placeholders filled in. Hidden folders are passed over.
func files(dir, word string) ([]text, error) {
	var texts []text
	fill := strings.NewReplacer(schema.ProjectPlaceholder, project, schema.DatasetPlaceholder, dataset)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != dir && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".sql":
			return nil
		}
		src, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(src), word) {
			texts = append(texts, text{path, fill.Replace(string(src))})
		}
		return err
	})
	return texts, err
}
