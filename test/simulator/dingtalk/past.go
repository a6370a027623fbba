package dingtalk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"rollcall.dev/rollcall/test/simulator/core"
)

// datasets are those of a collection that a history makes.
func (t *tenant) datasets(collection string) []core.Dataset {
	switch collection {
	case collPunches:
		return []core.Dataset{t.punches()}
	case collReports:
		return []core.Dataset{t.reports()}
	case collFileLogs:
		return []core.Dataset{t.fileLogs()}
	case collEvents:
		return []core.Dataset{t.events()}
	case collApprovals:
		var list []core.Dataset
		for _, form := range templates {
			list = append(list, t.approvals(form))
		}
		return list
	default:
		return nil
	}
}

// pastObjects lists a collection of the past; more than that of a small
// organisation is better read over the wire.
func (t *tenant) pastObjects(collection string) ([]any, bool) {
	list := []any{}
	if shelves[collection] != "" {
		for _, o := range t.shelf(collection) {
			list = append(list, o)
		}
		return list, true
	}
	sets := t.datasets(collection)
	for i, d := range sets {
		for r := range t.past.Records(d, t.always()) {
			if i == 0 || !r.ByHand() { // what was made by hand is in every dataset of the collection
				list = append(list, r.Object())
			}
		}
	}
	return list, sets != nil
}

// pastObject gives one of them.
func (t *tenant) pastObject(collection, id string) (map[string]any, bool) {
	if field := shelves[collection]; field != "" {
		for _, o := range t.shelf(collection) {
			if o[field] == id {
				return o, true
			}
		}
	}
	for _, d := range t.datasets(collection) {
		if r, ok := t.past.Record(d, t.always(), id); ok {
			return r.Object(), true
		}
	}
	return nil, false
}

func isPast(collection string) bool {
	return shelves[collection] != "" || slices.Contains([]string{collPunches, collReports, collApprovals, collFileLogs, collEvents}, collection)
}

// ids are the fields that hold the id of what is made by hand.
var ids = map[string]string{collReports: "report_id", collFileLogs: "bizId", collEvents: "id"}

// createPast makes an object of the past by hand, in the form that it has on the wire.
func (t *tenant) createPast(collection, id string, fields json.RawMessage) error {
	if _, taken := t.pastObject(collection, id); taken {
		return fmt.Errorf("%s %q: %w", collection, id, core.ErrExists)
	}
	object, err := core.MergeObject(map[string]any{}, fields)
	if err != nil {
		return err
	}
	if field := cmp.Or(shelves[collection], ids[collection]); field != "" {
		object[field] = id
	}
	t.past.Put(collection, id, object)
	return nil
}

// editPast changes or removes one by hand: no fields remove it.
func (t *tenant) editPast(collection, id string, fields json.RawMessage) error {
	old, ok := t.pastObject(collection, id)
	if !ok {
		return notFound(collection, id)
	}
	if fields == nil {
		t.past.Put(collection, id, nil)
		return nil
	}
	object, err := core.MergeObject(old, fields)
	if err != nil {
		return err
	}
	t.past.Put(collection, id, object)
	return nil
}
