package storage

import (
	"context"
	"path"
	"slices"
	"time"
)

// Unsealed returns the keys of a namespace that have no seal and where nothing was
// written since a time: leftovers of runs that died. Whoever still writes has to be
// left out by the caller: an upload to a bucket shows no life between its parts.
func (p *Place) Unsealed(ctx context.Context, namespace string, olderThan time.Time) ([]string, error) {
	const op = "looking for leftovers"
	namespace = escape(namespace)
	sealed, newest := map[string]bool{}, map[string]time.Time{}
	look := func(o object) error {
		key, rest, ok := split(o.file)
		if !ok {
			return nil
		}
		sealed[key] = sealed[key] || rest == sealFile
		if newest[key].Before(o.since) {
			newest[key] = o.since
		}
		return nil
	}
	if err := p.backend.list(ctx, namespace, look); err != nil {
		return nil, p.wrap(err, namespace, op)
	}
	if err := p.backend.begun(ctx, namespace, look); err != nil {
		return nil, p.wrap(err, namespace, op)
	}
	var keys []string
	for key, at := range newest {
		if !sealed[key] && at.Before(olderThan) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// Discard removes what a run that died has left. Invalid: it is sealed, and no
// leftover. Held: a legal hold lies on it.
func (p *Place) Discard(ctx context.Context, key string) error {
	const op = "removing a leftover"
	if !validKey(key) {
		return p.refuse(Invalid, key, op, "that is no key of an archive")
	}
	if err := p.unlessHeld(ctx, key, op); err != nil {
		return err
	}
	switch _, err := p.backend.stat(ctx, path.Join(key, sealFile)); {
	case err == nil:
		return p.refuse(Invalid, key, op, "it is sealed: an archive, and no leftover")
	case !absent(err):
		return p.wrap(err, key, op)
	}
	return p.wrap(p.sweep(ctx, key), key, op)
}
