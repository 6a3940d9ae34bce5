package outbound

func commbox() provider { return provider{} }
