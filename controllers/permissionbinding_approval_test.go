package controllers

import (
	"slices"
	"strconv"
	"testing"
)

// However many would get a role, nobody is asked about more than an Approval lists, the binding among
// them, and nobody is left out in the end.
func TestAnApprovalListsWhomItCan(t *testing.T) {
	for _, people := range []int{1, maxSubjects - 1, maxSubjects, 2*maxSubjects + 3} {
		var all, asked []string
		for n := range people {
			all = append(all, strconv.Itoa(n))
		}
		for left := all; len(left) > 0; {
			var now []string
			now, left = askable(left)
			if len(now) == 0 || len(now)+1 > maxSubjects {
				t.Fatalf("of %d people %d are asked about", people, len(now))
			}
			asked = append(asked, now...)
		}
		if !slices.Equal(asked, all) {
			t.Errorf("of %d people %d were asked about", people, len(asked))
		}
	}
}
