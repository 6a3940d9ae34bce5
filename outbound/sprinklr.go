package outbound

func sprinklr() provider { return provider{} }
