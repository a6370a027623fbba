package storage

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
)

const (
	archiveFile = "archive.tar.zst.age"
	sealFile    = "seal.json"
	holdFile    = "hold.json"

	claims = ".claims"
	canary = ".canary"

	timeLayout = "20060102T150405Z"
)

// Segments of a path: no empty one, none that is hidden, nothing that a file system
// or a URL reads otherwise.
var (
	segment = regexp.MustCompile(`^[0-9A-Za-z_=-][0-9A-Za-z_=.-]*$`)
	further = regexp.MustCompile(`^[0-9A-Za-z_=-][0-9A-Za-z_=.-]*(/[0-9A-Za-z_=-][0-9A-Za-z_=.-]*)+$`)
)

// NewKey names an archive: <namespace>/<account>/<tenant>/<time>-<random>. Each
// segment is whole, so that no account's prefix begins with another's.
func NewKey(namespace, account, tenant string, at time.Time, random string) string {
	return path.Join(escape(namespace), escape(account), escape(tenant), at.UTC().Format(timeLayout)+"-"+escape(random))
}

// escape writes what a segment may not hold as =XX, and nothing as "=": different
// names stay different.
func escape(s string) string {
	if s == "" {
		return "="
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		plain := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.' && i > 0
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02X", c)
		}
	}
	return b.String()
}

// validKey reports whether key is one that NewKey could have made.
func validKey(key string) bool {
	segments := strings.Split(key, "/")
	if len(segments) != 4 {
		return false
	}
	for _, s := range segments {
		if !segment.MatchString(s) {
			return false
		}
	}
	return true
}

// split divides a path in a place into an archive's key and the rest.
func split(file string) (key, rest string, ok bool) {
	parts := strings.SplitN(file, "/", 5)
	if len(parts) < 5 {
		return "", "", false
	}
	key, rest = strings.Join(parts[:4], "/"), parts[4]
	return key, rest, validKey(key)
}
