package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"iotbridge/schema"
)

// text is one SQL text and where it comes from.
type text struct{ name, sql string }

// product returns the texts that no file has as they are run.
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
	return texts, nil
}

// files returns the *.sql below a folder, its placeholders filled in.
func files(dir string) ([]text, error) {
	var texts []text
	fill := strings.NewReplacer(schema.ProjectPlaceholder, project, schema.DatasetPlaceholder, dataset)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".sql" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		texts = append(texts, text{path, fill.Replace(string(src))})
		return nil
	})
	return texts, err
}
