package provision

type limits struct{}
