package crd

import "strings"

// Paths are written as in the API server's messages; [0] is the first item of a list.

func steps(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[0]", ".[0]"), ".")
}

// lookup finds the value at path.
func lookup(o any, path string) (any, bool) {
	for _, step := range steps(path) {
		if step == "[0]" {
			list, ok := o.([]any)
			if !ok || len(list) == 0 {
				return nil, false
			}
			o = list[0]
			continue
		}
		fields, ok := o.(map[string]any)
		if !ok {
			return nil, false
		}
		if o, ok = fields[step]; !ok {
			return nil, false
		}
	}
	return o, true
}

// put sets the value at path, or removes the field if value is nil. It reports whether there is such a place.
func put(o map[string]any, path string, value any) bool {
	all := steps(path)
	last := all[len(all)-1]
	var parent any = o
	if len(all) > 1 {
		var ok bool
		if parent, ok = lookup(o, strings.ReplaceAll(strings.Join(all[:len(all)-1], "."), ".[0]", "[0]")); !ok {
			return false
		}
	}
	switch p := parent.(type) {
	case map[string]any:
		if value == nil {
			delete(p, last)
		} else {
			p[last] = value
		}
		return true
	case []any:
		p[0] = value
		return len(p) > 0
	}
	return false
}

// merge lays a patch over an object: maps are merged, null removes, everything else replaces (RFC 7396).
func merge(o, patch map[string]any) {
	for name, value := range patch {
		below, isMap := value.(map[string]any)
		have, haveMap := o[name].(map[string]any)
		switch {
		case value == nil:
			delete(o, name)
		case isMap && haveMap:
			merge(have, below)
		default:
			o[name] = value
		}
	}
}
