package outbound

func bird() provider { return provider{} }
