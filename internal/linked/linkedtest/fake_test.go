package linkedtest_test

import (
	"fmt"
	"testing"

	"rollcall.dev/rollcall/internal/linked"
	"rollcall.dev/rollcall/internal/linked/linkedtest"
)

func TestTheFakeKeepsTheContract(t *testing.T) {
	for name, change := range map[string]func(*linked.Capabilities){
		"able":          func(*linked.Capabilities) {},
		"lists nobody":  func(c *linked.Capabilities) { c.Lists = false },
		"reads nothing": func(c *linked.Capabilities) { c.Lists, c.Reads = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			linkedtest.Contract(t, func(_ *testing.T, strangers int) linkedtest.Peer {
				caps := linkedtest.Able()
				change(&caps)
				f := linkedtest.NewFake(caps)
				for n := range strangers {
					f.Place(linked.Account{Login: fmt.Sprintf("stranger%d", n), Number: fmt.Sprintf("S%d", n), Enabled: true})
				}
				return linkedtest.Peer{
					System: f, Attributes: []string{"displayName", "title"}, Base: map[string][]string{"sn": {"柳"}},
					Join: func(_ *testing.T, id string) {
						f.Change(id, func(a *linked.Account) { a.Groups = append(a.Groups, "staff") })
					},
					SignsIn: func(_ *testing.T, id, _ string) bool {
						for _, a := range f.Accounts() {
							if a.ID == id {
								return a.Enabled
							}
						}
						return false
					},
				}
			})
		})
	}
}
