package main

type quarantineCommand struct{}
