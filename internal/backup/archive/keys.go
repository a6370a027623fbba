package archive

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
)

// ParseIdentities reads identities as age-keygen prints them, a line each, the
// newest first, and returns the recipient of the first: new archives are written
// to it. The error never repeats what it could not read.
func ParseIdentities(text []byte) ([]age.Identity, age.Recipient, error) {
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, nil, errors.New("no age identities: put a line AGE-SECRET-KEY-1… for each, as age-keygen prints them")
	}
	switch id := ids[0].(type) {
	case *age.X25519Identity:
		return ids, id.Recipient(), nil
	case *age.HybridIdentity:
		return ids, id.Recipient(), nil
	default:
		return nil, nil, errors.New("the first age identity has no recipient")
	}
}

// ParseRecipients reads public keys, age1… each. The error does not repeat them:
// one could be a secret key in the wrong place.
func ParseRecipients(keys ...string) ([]age.Recipient, error) {
	var out []age.Recipient
	for i, key := range keys {
		rs, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil || len(rs) != 1 {
			return nil, fmt.Errorf("recipient %d is no age public key: write it as age-keygen prints it, age1…", i+1)
		}
		out = append(out, rs[0])
	}
	return out, nil
}
