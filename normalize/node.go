package normalize

// node is an XML element or a JSON object, so that one reading serves both.
type node interface {
	texts(name string) []scalar // every value of that name that is not empty
	nodes(name string) []node   // every element or object of that name
}

// scalar is one value as text. It is not clean where decoding had to replace something: it must not identify anything.
type scalar struct {
	text  string
	clean bool
}

var (
	_ node = (*element)(nil)
	_ node = object{}
)

// object is a JSON object. Its names are unique, so that there is at most one text of each; a list holds several objects.
type object struct{ value }

func (o object) texts(name string) []scalar {
	v := o.get(name)
	if t := v.text(); t != "" {
		return []scalar{{t, v.clean()}}
	}
	return nil
}

func (o object) nodes(name string) (found []node) {
	v := o.get(name)
	if v.isObject() {
		return []node{object{v}}
	}
	for e := range v.each {
		if e.isObject() {
			found = append(found, object{e})
		}
	}
	return found
}
