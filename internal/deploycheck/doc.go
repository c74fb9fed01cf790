// Package deploycheck holds what is written below deploy and dashboards against what
// the programs say of themselves: a flag, a variable or a value that a program does
// not know is found by a test, not by who deploys. It is for tests alone, and asks the
// programs of this tree, which the go command keeps built.
package deploycheck
