package outbound

type store struct{}
