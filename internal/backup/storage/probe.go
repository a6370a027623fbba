package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path"
	"time"
)

// Probe writes a canary, reads it back, compares and deletes it, and says how long
// that took.
func (p *Place) Probe(ctx context.Context, namespace, uid string) (time.Duration, error) {
	const op = "writing and reading back a canary"
	file := path.Join(escape(namespace), canary, escape(uid))
	start := time.Now()
	want := []byte(rand.Text())
	if err := p.put(ctx, file, want, false); err != nil {
		return 0, p.wrap(err, "", op)
	}
	have, err := p.get(ctx, file)
	err = errors.Join(err, p.backend.remove(ctx, file))
	if err != nil {
		return 0, p.wrap(err, "", op)
	}
	if !bytes.Equal(want, have) {
		return 0, p.refuse(Damaged, "", op, "what was read is not what was written")
	}
	return time.Since(start), nil
}

// Rival is somebody else who says that a place's namespace is theirs.
type Rival struct {
	// UID is who claims.
	UID string
	// Since is when the claim began, Renewed when it was last heard of.
	Since, Renewed time.Time
	// Older claims have precedence: who sees one stands back.
	Older bool
}

// claim is what lies in <namespace>/.claims/<uid>.
type claim struct {
	UID     string    `json:"uid"`
	Since   time.Time `json:"since"`
	Renewed time.Time `json:"renewed"`
}

// Claim renews the claim of uid to a namespace, and returns the rival with the
// oldest claim that was renewed within ttl, if there is one. Mine is written before
// the others are read: of two, one at least sees the other.
func (p *Place) Claim(ctx context.Context, namespace, uid string, now time.Time, ttl time.Duration) (*Rival, error) {
	const op = "claiming the place"
	folder := path.Join(escape(namespace), claims)
	file := path.Join(folder, escape(uid))
	mine := claim{UID: uid, Since: now.UTC(), Renewed: now.UTC()}
	before, err := p.claimed(ctx, object{file: file})
	switch {
	case err == nil && before.UID == uid && before.Renewed.Add(ttl).After(now):
		mine.Since = before.Since
	case err != nil && !absent(err):
		return nil, p.wrap(err, "", op)
	}
	b, err := json.Marshal(mine)
	if err != nil {
		return nil, p.refuse(Invalid, "", op, "the time is out of range")
	}
	if err := p.put(ctx, file, append(b, '\n'), false); err != nil {
		return nil, p.wrap(err, "", op)
	}
	rival, err := p.rival(ctx, folder, mine, ttl)
	return rival, p.wrap(err, "", op)
}

// rival finds the oldest fresh claim that is not mine.
func (p *Place) rival(ctx context.Context, folder string, mine claim, ttl time.Duration) (*Rival, error) {
	var others []object
	err := p.backend.list(ctx, folder, func(o object) error {
		if path.Base(o.file) != escape(mine.UID) {
			others = append(others, o)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var oldest *claim
	for _, o := range others {
		c, err := p.claimed(ctx, o)
		if absent(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if fresh := c.Renewed.Add(ttl).After(mine.Renewed); fresh && (oldest == nil || c.before(*oldest)) {
			oldest = &c
		}
	}
	if oldest == nil {
		return nil, nil
	}
	return &Rival{UID: oldest.UID, Since: oldest.Since, Renewed: oldest.Renewed, Older: oldest.before(mine)}, nil
}

// Disclaim takes the claim of uid back. That there is none is fine.
func (p *Place) Disclaim(ctx context.Context, namespace, uid string) error {
	return p.wrap(p.backend.remove(ctx, path.Join(escape(namespace), claims, escape(uid))), "", "taking the claim back")
}

// before orders claims: the older first, of two equal ones that of the smaller uid.
func (c claim) before(d claim) bool {
	if !c.Since.Equal(d.Since) {
		return c.Since.Before(d.Since)
	}
	return c.UID < d.UID
}

// claimed reads a claim. One that cannot be understood is somebody's all the same,
// of the time when it was written.
func (p *Place) claimed(ctx context.Context, o object) (claim, error) {
	b, err := p.get(ctx, o.file)
	if err != nil {
		return claim{}, err
	}
	var c claim
	if json.Unmarshal(b, &c) != nil || c.UID == "" {
		c = claim{UID: path.Base(o.file), Since: o.since, Renewed: o.since}
	}
	return c, nil
}
