package configs

import (
	"reflect"
	"slices"
	"strings"

	"github.com/hookgate/hookgate"
)

// field is one key of a mapping, as the struct's tags describe it. The loader, the schema and the reference page all go
// by it, so none of them can know a key that the others do not.
type field struct {
	key     string
	doc     string
	def     string   // as it would be written in the file; empty for none
	values  []string // what may be written; empty for anything
	also    string   // what else may be written beside values; empty for nothing
	literal bool     // a reference that may also be a URL written out
	public  bool     // what the reference names is no secret, though its type is
	ends    bool     // one of several secrets, of which the older ones may have an end
	needed  bool
	index   int
	typ     reflect.Type
}

// entry is a key of one struct.
type entry struct {
	of  reflect.Type
	key string
}

var (
	configType      = reflect.TypeFor[Config]()
	sourceType      = reflect.TypeFor[Source]()
	authType        = reflect.TypeFor[hookgate.AuthSettings]()
	destinationType = reflect.TypeFor[hookgate.DestinationSettings]()
	declarationType = reflect.TypeFor[hookgate.Declaration]()
	vectorType      = reflect.TypeFor[hookgate.Vector]()
	tokensType      = reflect.TypeFor[hookgate.TokenSettings]()
	tokenClientType = reflect.TypeFor[hookgate.TokenClient]()
)

// needed are the keys that an entry makes no sense without.
var needed = map[entry]bool{
	{sourceType, "name"}:      true,
	{sourceType, "provider"}:  true,
	{sourceType, "auth"}:      true,
	{authType, "scheme"}:      true,
	{destinationType, "name"}: true,
	{destinationType, "type"}: true,
	{configType, "sources"}:   true,

	{configType, "destinations"}: true,

	{declarationType, "name"}:    true,
	{declarationType, "header"}:  true,
	{declarationType, "vectors"}: true,
	{vectorType, "secret"}:       true,

	{tokensType, "keys"}:         true,
	{tokensType, "clients"}:      true,
	{tokenClientType, "id"}:      true,
	{tokenClientType, "secrets"}: true,
	{tokenClientType, "grants"}:  true,
	{tokenClientType, "sources"}: true,
}

// also is what may be written beside the values, where only the whole file can say whether it is right.
var also = map[entry]string{
	{sourceType, "provider"}: "the name of a declaration",
}

// values are what may be written for a key: its enum tag, or the names that only the rules know.
func (r Rules) values(of reflect.Type, key, enum string) []string {
	switch (entry{of, key}) {
	case entry{sourceType, "provider"}:
		return slices.Concat(r.Providers, Shipped())
	case entry{authType, "scheme"}:
		return r.Schemes
	case entry{destinationType, "type"}:
		return r.DestinationTypes
	}
	if enum == "" {
		return nil
	}
	return strings.Split(enum, ",")
}

// fields describes the keys of a struct, in the struct's order. A field tagged "-" is not for the file.
func (r Rules) fields(of reflect.Type) []field {
	fs := make([]field, 0, of.NumField())
	for i := range of.NumField() {
		f := of.Field(i)
		key := f.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		fs = append(fs, field{
			key:     key,
			doc:     f.Tag.Get("doc"),
			def:     f.Tag.Get("default"),
			values:  r.values(of, key, f.Tag.Get("enum")),
			also:    also[entry{of, key}],
			literal: f.Tag.Get("literal") == "true",
			public:  f.Tag.Get("public") == "true",
			ends:    f.Tag.Get("ends") == "true",
			needed:  needed[entry{of, key}],
			index:   i,
			typ:     f.Type,
		})
	}
	return fs
}

// optional reports whether a nil pointer stands for "not set", so that an empty text is a value.
func (f field) optional() bool { return f.typ.Kind() == reflect.Pointer }
