package configs

// Rule identifies what the loader checks. There is a bad file for each, of the same name.
type Rule int

// The rules of the file's form.
const (
	YAMLSyntax Rule = iota
	YAMLDepth
	YAMLAlias
	YAMLTag
	EmptyFile
	SecondDocument
	UnknownKey
	RepeatedKey
	RequiredKey
	NullValue
	EmptyValue
	WrongType
	UnquotedText
	ControlCharacter
	Placeholder
	NotListed
	RepeatedItem
	BadNumber
	BadDuration
	BadSize
	BadRate

	// The rules of references.
	SecretLiteral
	SecretName
	SecretUnset
	SecretBlank
	SecretOwnName
	SecretPlaceholder
	SecretSpace
	SecretFile
	SecretFileSize
	SecretFileOpen
	SecretEnd
	URLLiteral
	URLPassword

	// The rules of what the file says.
	ListenAddress
	PublicURL
	AdminListen
	AdminToken
	AdminTokenShort
	HostName
	JournalURL
	JournalRedis
	JournalSpill
	JournalMemory
	OutboundListen
	OutboundToken
	OutboundTokenShort
	OutboundStore
	OutboundMail
	Network
	NetworkBits
	NetworkRepeated
	ProxiesTrusted
	AllowProxy
	TokenPath
	TokenIssuer
	TokenLifetime
	TokenKeys
	TokenClientID
	DuplicateClient
	TokenSecretShort
	TokenSecretEscape
	TokenUsers
	TokenPasswordShort
	TokenScope
	TokenSource
	TokenRevoked
	TokenUnused
	IssuedWithoutTokens
	NoSources
	NoDestinations
	SourceName
	DuplicateSource
	SourcePath
	DuplicatePath
	SourceDestination
	NoAuth
	NoneWithOthers
	NoneWarned
	AuthSettings
	AuthWarning
	DeclarationName
	DuplicateDeclaration
	DeclarationSettings
	UnknownDeclaration
	WindowFreshness
	TimezoneName
	TimezoneProvider
	EventName
	DestinationName
	DuplicateDestination
	DestinationSettings
	DestinationWarning
	SigningSettings
	SameFile
	SameStream
	UnusedDestination
	MatchName

	// The rules of TLS.
	TLSEither
	TLSHalf
	TLSPair
	TLSExpired
	ACMEDomains
	ACMEAccount
	CertificateWay

	ruleCount
)

var ruleNames = [ruleCount]string{
	YAMLSyntax:           "yaml-syntax",
	YAMLDepth:            "yaml-depth",
	YAMLAlias:            "yaml-alias",
	YAMLTag:              "yaml-tag",
	EmptyFile:            "empty-file",
	SecondDocument:       "second-document",
	UnknownKey:           "unknown-key",
	RepeatedKey:          "repeated-key",
	RequiredKey:          "required-key",
	NullValue:            "null-value",
	EmptyValue:           "empty-value",
	WrongType:            "wrong-type",
	UnquotedText:         "unquoted-text",
	ControlCharacter:     "control-character",
	Placeholder:          "placeholder",
	NotListed:            "not-listed",
	RepeatedItem:         "repeated-item",
	BadNumber:            "bad-number",
	BadDuration:          "bad-duration",
	BadSize:              "bad-size",
	BadRate:              "bad-rate",
	SecretLiteral:        "secret-literal",
	SecretName:           "secret-name",
	SecretUnset:          "secret-unset",
	SecretBlank:          "secret-blank",
	SecretOwnName:        "secret-own-name",
	SecretPlaceholder:    "secret-placeholder",
	SecretSpace:          "secret-space",
	SecretFile:           "secret-file",
	SecretFileSize:       "secret-file-size",
	SecretFileOpen:       "secret-file-open",
	SecretEnd:            "secret-end",
	URLLiteral:           "url-literal",
	URLPassword:          "url-password",
	ListenAddress:        "listen-address",
	PublicURL:            "public-url",
	AdminListen:          "admin-listen",
	AdminToken:           "admin-token",
	AdminTokenShort:      "admin-token-short",
	HostName:             "host-name",
	JournalURL:           "journal-url",
	JournalRedis:         "journal-redis",
	JournalSpill:         "journal-spill",
	JournalMemory:        "journal-memory",
	OutboundListen:       "outbound-listen",
	OutboundToken:        "outbound-token",
	OutboundTokenShort:   "outbound-token-short",
	OutboundStore:        "outbound-store",
	OutboundMail:         "outbound-mail",
	Network:              "network",
	NetworkBits:          "network-bits",
	NetworkRepeated:      "network-repeated",
	ProxiesTrusted:       "proxies-trusted",
	AllowProxy:           "allow-proxy",
	TokenPath:            "token-path",
	TokenIssuer:          "token-issuer",
	TokenLifetime:        "token-lifetime",
	TokenKeys:            "token-keys",
	TokenClientID:        "token-client-id",
	DuplicateClient:      "duplicate-client",
	TokenSecretShort:     "token-secret-short",
	TokenSecretEscape:    "token-secret-escape",
	TokenUsers:           "token-users",
	TokenPasswordShort:   "token-password-short",
	TokenScope:           "token-scope",
	TokenSource:          "token-source",
	TokenRevoked:         "token-revoked",
	TokenUnused:          "token-unused",
	IssuedWithoutTokens:  "issued-without-tokens",
	NoSources:            "no-sources",
	NoDestinations:       "no-destinations",
	SourceName:           "source-name",
	DuplicateSource:      "duplicate-source",
	SourcePath:           "source-path",
	DuplicatePath:        "duplicate-path",
	SourceDestination:    "source-destination",
	NoAuth:               "no-auth",
	NoneWithOthers:       "none-with-others",
	NoneWarned:           "none-warned",
	AuthSettings:         "auth-settings",
	AuthWarning:          "auth-warning",
	DeclarationName:      "declaration-name",
	DuplicateDeclaration: "duplicate-declaration",
	DeclarationSettings:  "declaration-settings",
	UnknownDeclaration:   "unknown-declaration",
	WindowFreshness:      "window-freshness",
	TimezoneName:         "timezone-name",
	TimezoneProvider:     "timezone-provider",
	EventName:            "event-name",
	DestinationName:      "destination-name",
	DuplicateDestination: "duplicate-destination",
	DestinationSettings:  "destination-settings",
	DestinationWarning:   "destination-warning",
	SigningSettings:      "signing-settings",
	SameFile:             "same-file",
	SameStream:           "same-stream",
	UnusedDestination:    "unused-destination",
	MatchName:            "match-name",

	TLSEither:      "tls-either",
	TLSHalf:        "tls-half",
	TLSPair:        "tls-pair",
	TLSExpired:     "tls-expired",
	ACMEDomains:    "acme-domains",
	ACMEAccount:    "acme-account",
	CertificateWay: "certificate-way",
}

// String is the rule's name, the word that its bad file is called by.
func (r Rule) String() string { return ruleNames[r] }

// AllRules lists every rule.
func AllRules() []Rule {
	all := make([]Rule, ruleCount)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}
