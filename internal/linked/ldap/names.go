package ldap

import (
	"encoding/hex"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"
)

// identity is the attribute that an entry keeps wherever it goes, and how ids of ours and its values become each other.
type identity struct {
	attribute string
	guid      bool
}

var (
	// RFC 4530: assigned by the server when the entry is made, never changed.
	entryUUID = identity{attribute: "entryUUID"}
	// [MS-ADTS], section 3.1.1.1.3: the same on Active Directory, as 16 bytes.
	objectGUID = identity{attribute: "objectGUID", guid: true}
)

var uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// guidOrder is which byte of a GUID's text each byte of its structure is: Data1 to Data3 have the lowest byte first
// ([MS-DTYP], section 2.3.4.2).
var guidOrder = [16]int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}

// filter finds the entry with an id. It reports false for what no id is.
func (i identity) filter(id string) (string, bool) {
	if !uuid.MatchString(id) {
		return "", false
	}
	if !i.guid {
		return equals(i.attribute, strings.ToLower(id)), true
	}
	text, err := hex.DecodeString(strings.ReplaceAll(id, "-", ""))
	if err != nil {
		return "", false
	}
	var b strings.Builder
	for _, at := range guidOrder {
		b.WriteString(`\` + hex.EncodeToString(text[at:at+1]))
	}
	return "(" + i.attribute + "=" + b.String() + ")", true
}

// id reads the attribute's value.
func (i identity) id(value []byte) (string, bool) {
	if !i.guid {
		return strings.ToLower(string(value)), uuid.Match(value)
	}
	if len(value) != len(guidOrder) {
		return "", false
	}
	var text [16]byte
	for from, to := range guidOrder {
		text[to] = value[from]
	}
	h := hex.EncodeToString(text[:])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
}

// equals is a filter for one value (RFC 4515).
func equals(attribute, value string) string {
	return "(" + attribute + "=" + goldap.EscapeFilter(value) + ")"
}

// named is the DN of an entry below superior (RFC 4514).
func named(attribute, value, superior string) string {
	return rdn(attribute, value) + "," + superior
}

func rdn(attribute, value string) string { return attribute + "=" + goldap.EscapeDN(value) }

// validLogin says whether a login can name an entry: text, without what nobody can see.
func validLogin(login string) bool {
	return login != "" && len(login) <= 256 && utf8.ValidString(login) && login == strings.TrimSpace(login) &&
		!strings.ContainsFunc(login, unicode.IsControl)
}

// canonical is equal for the DNs of one entry.
func canonical(dn string) string {
	parsed, err := goldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	for _, r := range parsed.RDNs {
		for _, a := range r.Attributes {
			a.Value = strings.ToLower(a.Value) // before bytes of it are escaped
		}
	}
	return strings.ToLower(parsed.String())
}
