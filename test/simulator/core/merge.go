package core

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Merge applies a JSON merge patch (RFC 7396) to the JSON of object and decodes
// the result into a new value. Fields that T does not have are refused, so that
// a typing mistake in an edit by hand is seen.
func Merge[T any](object T, patch json.RawMessage) (T, error) {
	var zero T
	current, err := json.Marshal(object)
	if err != nil {
		return zero, err
	}
	var base, change any
	if err := decodeNumbers(current, &base); err != nil {
		return zero, err
	}
	if err := decodeNumbers(patch, &change); err != nil {
		return zero, fmt.Errorf("reading the fields: %w", err)
	}
	if _, ok := change.(map[string]any); !ok {
		return zero, fmt.Errorf("the fields must be a JSON object")
	}
	merged, err := json.Marshal(mergeValue(base, change))
	if err != nil {
		return zero, err
	}
	d := json.NewDecoder(bytes.NewReader(merged))
	d.DisallowUnknownFields()
	var out T
	if err := d.Decode(&out); err != nil {
		return zero, fmt.Errorf("reading the fields: %w", err)
	}
	return out, nil
}

func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

func mergeValue(base, change any) any {
	fields, ok := change.(map[string]any)
	if !ok {
		return change
	}
	object, ok := base.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range fields {
		if value == nil {
			delete(object, name)
			continue
		}
		object[name] = mergeValue(object[name], value)
	}
	return object
}
