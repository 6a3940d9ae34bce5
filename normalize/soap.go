package normalize

import (
	"bytes"
	"encoding/xml"
)

// soapVersion is what a SOAP sender of one version expects: an empty envelope of the same version.
type soapVersion struct {
	contentType string
	reply       string
}

// soapVersions knows a version by the exact namespace of its envelope (W3C: SOAP 1.1 section 4, SOAP 1.2 section 5).
var soapVersions = map[string]soapVersion{
	"http://schemas.xmlsoap.org/soap/envelope/": {
		"text/xml; charset=utf-8",
		`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body/></soap:Envelope>`,
	},
	"http://www.w3.org/2003/05/soap-envelope": {
		"application/soap+xml; charset=utf-8",
		`<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body/></soap:Envelope>`,
	},
}

// soapOf finds the version by the body's root. Only a root named Envelope is parsed; any other costs a look at its name.
func soapOf(body []byte) (v soapVersion, ok bool) {
	root := xmlRoot(withoutMark(body))
	end := bytes.IndexAny(root, " \t\r\n/>")
	if end < 0 || !bytes.HasSuffix(root[:end], []byte("Envelope")) {
		return v, false
	}
	token, err := xml.NewDecoder(bytes.NewReader(root)).Token()
	if err != nil {
		return v, false
	}
	start, ok := token.(xml.StartElement)
	if !ok || start.Name.Local != "Envelope" {
		return v, false
	}
	v, ok = soapVersions[start.Name.Space]
	return v, ok
}

// xmlRoot skips the declaration, comments and white space in front of the root. It is empty where something else stands
// there, such as a document type.
func xmlRoot(body []byte) []byte {
	for {
		body = bytes.TrimLeft(body, " \t\r\n")
		var end string
		switch {
		case bytes.HasPrefix(body, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(body, []byte("<!--")):
			end = "-->"
		case bytes.HasPrefix(body, []byte("<!")):
			return nil
		case bytes.HasPrefix(body, []byte("<")):
			return body
		default:
			return nil
		}
		at := bytes.Index(body, []byte(end))
		if at < 0 {
			return nil
		}
		body = body[at+len(end):]
	}
}
