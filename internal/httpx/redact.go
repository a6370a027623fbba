package httpx

import (
	"net/url"
	"regexp"
	"strings"
)

// mask stands where something secret stood.
const mask = "***"

// secretKey matches the names whose values are never shown. It has a few too many
// on purpose (nextToken is harmless).
const secretKey = `[\w.-]*(?:token|secret|passw(?:or)?d|app_?key|api_?key|aes_?key|private_?key|access_?key|ticket|signature|credential|authorization|cookie)s?|(?:msg_)?sign|webhook`

var (
	// A URL of any scheme: its user, and everything from ? or # to the URL's end.
	urlUser  = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#"'<>@]*@`)
	urlQuery = regexp.MustCompile(`([?&;])([^\s=&;?#"'<>\\]*)=[^\s&;#"'<>\\]*`)
	urlFrag  = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://[^\s#"'<>\\]*)#[^\s"'<>\\]*`)
	// Feishu's robots have their secret in the path.
	hookPath = regexp.MustCompile(`(?i)(/hook/)[^\s/?#:"'<>\\]+`)

	quoted = regexp.MustCompile(`(?i)(["']?\b(?:` + secretKey + `)["']?\s*[:=]\s*)("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')`)
	// JSON inside a quoted string, once and more often.
	escaped = regexp.MustCompile(`(?i)(\\"(?:` + secretKey + `)\\"\s*:\s*)\\"(?:[^"\\]|\\\\(?:\\\\|\\"|[^\\])|\\[^"\\])*\\"`)
	deeper  = regexp.MustCompile(`(?i)(\\{2,}"(?:` + secretKey + `)\\{2,}"\s*:\s*)\\{2,}"(?:[^"\\]|\\+[^"\\])*\\{2,}"`)
	bare    = regexp.MustCompile(`(?i)(\b(?:` + secretKey + `)["']?\s*[:=]\s*\[?)(?:(?:bearer|basic)\s+)?[^\s"'\\&;,<>{}\[\]]+`)
	scheme  = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w.~+/=-]+`)

	// People: mainland mobile numbers and mail addresses.
	mobile = regexp.MustCompile(`(^|[^\w])(?:\+?86[- ]?)?1[3-9]\d{9}\b`)
	mail   = regexp.MustCompile(`[\w.%+-]+@[\w-]+(?:\.[\w-]+)+`)
)

// Redact makes text from a platform or from net/http fit to be shown: it masks
// every value in a URL's query, a URL's user and fragment, values of names that
// mean a secret (in JSON, in forms, in headers, as Go prints maps), mainland
// mobile numbers and mail addresses. What it does not recognise stays: do not
// hand it a secret that has no name.
func Redact(s string) string {
	s = urlUser.ReplaceAllString(s, "${1}"+mask+"@")
	s = urlFrag.ReplaceAllString(s, "${1}#"+mask)
	s = urlQuery.ReplaceAllString(s, "${1}${2}="+mask)
	s = hookPath.ReplaceAllString(s, "${1}"+mask)
	s = escaped.ReplaceAllString(s, "${1}"+mask)
	s = deeper.ReplaceAllString(s, "${1}"+mask)
	s = quoted.ReplaceAllString(s, `${1}"`+mask+`"`)
	s = bare.ReplaceAllString(s, "${1}"+mask)
	s = scheme.ReplaceAllString(s, "${1} "+mask)
	s = mail.ReplaceAllString(s, mask)
	return mobile.ReplaceAllString(s, "${1}"+mask)
}

// RedactURL returns the URL as text, with every value in its query masked, and
// its user and fragment. The names in the query stay, in their order.
func RedactURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	c := *u
	if c.User != nil {
		c.User = url.User("x") // the mask itself would be escaped
	}
	if c.Fragment != "" {
		c.Fragment, c.RawFragment = mask, ""
	}
	if c.RawQuery != "" {
		pairs := strings.FieldsFunc(c.RawQuery, func(r rune) bool { return r == '&' || r == ';' })
		for i, p := range pairs {
			if name, _, ok := strings.Cut(p, "="); ok {
				pairs[i] = name + "=" + mask
			} else {
				pairs[i] = mask
			}
		}
		c.RawQuery = strings.Join(pairs, "&")
	}
	text := urlUser.ReplaceAllString(c.String(), "${1}"+mask+"@")
	return hookPath.ReplaceAllString(text, "${1}"+mask)
}
