package outbound

func netcore() provider { return provider{} }
