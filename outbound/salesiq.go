package outbound

func salesiq() provider { return provider{} }
