package hookgate

// TokenOutcome is the one word for what became of a token request, for the log line and the metric. The refusals that
// RFC 6749, section 5.2 has a code for are called by it.
type TokenOutcome string

// The outcomes of a token request.
const (
	TokenIssued             TokenOutcome = "issued"
	TokenInvalidRequest     TokenOutcome = "invalid_request"        // its form is not the one of the standard
	TokenInvalidClient      TokenOutcome = "invalid_client"         // the client has not proved itself
	TokenInvalidGrant       TokenOutcome = "invalid_grant"          // user and password fit no user of the client
	TokenUnauthorizedClient TokenOutcome = "unauthorized_client"    // the client may not use this grant
	TokenUnsupportedGrant   TokenOutcome = "unsupported_grant_type" // nobody may
	TokenInvalidScope       TokenOutcome = "invalid_scope"          // a scope that the client does not have
	TokenOverLimit          TokenOutcome = "over_limit"             // the client's rate, or that of an address that guesses
	TokenUnavailable        TokenOutcome = "unavailable"            // no token could be made
)

// TokenOutcomes lists every outcome, for metrics that must exist before they happen.
func TokenOutcomes() []TokenOutcome {
	return []TokenOutcome{TokenIssued, TokenInvalidRequest, TokenInvalidClient, TokenInvalidGrant, TokenUnauthorizedClient,
		TokenUnsupportedGrant, TokenInvalidScope, TokenOverLimit, TokenUnavailable}
}

// UnknownClient stands for every client that is not configured, in the log and as a metric label.
const UnknownClient = "unknown"

// TokenRequest is what became of a request for a token. The zero value is one for something else.
type TokenRequest struct {
	Client  string // the id of a configured client, proved or not, or UnknownClient
	Outcome TokenOutcome
}
