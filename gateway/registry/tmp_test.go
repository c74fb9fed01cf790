package registry_test

import "testing"

func pages(t *testing.T, w *world)          {}
func filters(t *testing.T, w *world)        {}
func audit(t *testing.T, w *world)          {}
func configVersions(t *testing.T, w *world) {}
func lostUpdate(t *testing.T, w *world)     {}
func states(t *testing.T, w *world)         {}
func note(t *testing.T, w *world)           {}
func bindings(t *testing.T, w *world)       {}
func changes(t *testing.T, w *world)        {}
func claims(t *testing.T, w *world)         {}
func commands(t *testing.T, w *world)       {}
func manyWriters(t *testing.T, w *world)    {}
