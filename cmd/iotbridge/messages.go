package main

type messagesCommand struct{}
