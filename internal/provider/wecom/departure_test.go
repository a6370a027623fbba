package wecom_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/provider/wecom"
	"rollcall.dev/rollcall/test/simulator/core"
)

// people makes these members, who have logged in.
func (c *company) people(t *testing.T, ids ...string) {
	t.Helper()
	for i, id := range ids {
		if err := c.platform.Create(c.spec.Name, "users", id, fmt.Appendf(nil, `{"name":"x","mobile":"1390001%04d","department":[1]}`, i)); err != nil {
			t.Fatal(err)
		}
		if err := c.platform.Accept(c.spec.Name, id); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *company) make(t *testing.T, collection, id, fields string) {
	t.Helper()
	if err := c.platform.Create(c.spec.Name, collection, id, []byte(fields)); err != nil {
		t.Fatal(err)
	}
}

// held counts the customers or groups by the field with the user who has them.
func (c *company) held(t *testing.T, collection, field string) map[string]int {
	t.Helper()
	objects, err := c.platform.Objects(c.spec.Name, collection)
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]int{}
	for _, o := range objects {
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		by[fmt.Sprint(fields[field])]++
	}
	return by
}

// departing opens a company in which two leave, with customers and groups, and one stays.
func departing(t *testing.T, customers, groups int) (*company, *wecom.Directory) {
	t.Helper()
	c := newCompany(t)
	c.people(t, "leaver", "other", "heir")
	for _, id := range []string{"leaver", "other"} {
		for i := range customers {
			c.make(t, "customers", fmt.Sprintf("wm-%s-%d", id, i), `{"userid":"`+id+`"}`)
		}
		for i := range groups {
			c.make(t, "groups", fmt.Sprintf("wr-%s-%d", id, i), `{"owner":"`+id+`"}`)
		}
	}
	return c, c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(*wecom.Directory)
}

func (c *company) calls(operation string) int {
	return len(c.core.Log.Entries(core.Query{Operation: operation}))
}

func TestCustomersAndGroupsArePassedOnADayLater(t *testing.T) {
	c, d := departing(t, 230, 120)
	c.make(t, "customers", "wm-refuses", `{"userid":"leaver","refuses":true}`)
	_, err := d.Inherit(t.Context(), "leaver", "heir")
	want(t, err, directory.Conflict, "still there")
	for _, id := range []string{"leaver", "other"} {
		if err := d.Remove(t.Context(), id, directory.Removal{Successor: "heir"}); err != nil {
			t.Fatal(err)
		}
	}
	left, err := d.Residuals(t.Context(), "leaver")
	if err != nil || len(left) != 2 {
		t.Errorf("Residuals = %q, %v, want customers and groups", left, err)
	}
	start := c.now()
	for {
		got, err := d.Inherit(t.Context(), "leaver", "heir")
		if err != nil {
			t.Fatal(err)
		}
		if got.Waiting == 0 {
			if got.Done < 230 || got.Refused != 1 {
				t.Errorf("ended with %+v", got)
			}
			break
		}
		again := got.Again
		if again.IsZero() {
			again = c.now().Add(time.Minute)
		}
		if again.Before(c.now()) || again.After(c.now().Add(25*time.Hour)) {
			t.Fatalf("asked to come again at %s, at %s", again, c.now())
		}
		c.core.Clock.Advance(again.Sub(c.now()))
	}
	if passed := c.now().Sub(start); passed < 24*time.Hour || passed > 26*time.Hour {
		t.Errorf("it took %s", passed)
	}
	if by := c.held(t, "customers", "userid"); by["heir"] != 230 || by["other"] != 230 || by["leaver"] != 1 {
		t.Errorf("customers belong to %v", by)
	}
	if by := c.held(t, "groups", "owner"); by["heir"] != 120 || by["other"] != 120 {
		t.Errorf("groups belong to %v", by)
	}
	if n := c.calls("externalcontact/resigned/transfer_customer"); n != 3 {
		t.Errorf("customers were passed on in %d calls", n)
	}
	if n := c.calls("externalcontact/groupchat/transfer"); n != 2 {
		t.Errorf("groups were passed on in %d calls", n)
	}
}

// The manager may end at any moment: another directory goes on, and asks for nothing twice.
func TestP3AnInheritanceGoesOnInAnotherProcess(t *testing.T) {
	for _, lost := range []string{"externalcontact/resigned/transfer_customer", "externalcontact/groupchat/transfer"} {
		c, d := departing(t, 150, 3)
		if err := d.Remove(t.Context(), "leaver", directory.Removal{}); err != nil {
			t.Fatal(err)
		}
		c.fault(t, core.Fault{Kind: core.KindDropAfter, Times: 1}, lost)
		_, err := d.Inherit(t.Context(), "leaver", "heir")
		want(t, err, directory.OutcomeUnknown)
		for range 2 {
			again := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(*wecom.Directory)
			got, err := again.Inherit(t.Context(), "leaver", "heir")
			if err != nil || got.Waiting < 150 || got.Refused != 0 {
				t.Errorf("%s lost: %+v, %v", lost, got, err)
			}
		}
		c.core.Clock.Advance(25 * time.Hour)
		if got, err := d.Inherit(t.Context(), "leaver", "heir"); err != nil || got.Done < 150 || got.Waiting+got.Refused != 0 {
			t.Errorf("%s lost: ended with %+v, %v", lost, got, err)
		}
		if by := c.held(t, "customers", "userid"); by["heir"] != 150 {
			t.Errorf("%s lost: customers belong to %v", lost, by)
		}
		if by := c.held(t, "groups", "owner"); by["heir"] != 3 {
			t.Errorf("%s lost: groups belong to %v", lost, by)
		}
		if left, err := d.Residuals(t.Context(), "leaver"); left != nil || err != nil {
			t.Errorf("left are %q, %v", left, err)
		}
	}
}

// P9: customers that are on their way to a successor who leaves, too, were not passed on.
func TestP9ASuccessorWhoLeavesMeanwhile(t *testing.T) {
	c, d := departing(t, 2, 0)
	if err := d.Remove(t.Context(), "leaver", directory.Removal{}); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Inherit(t.Context(), "leaver", "heir"); err != nil || got.Waiting != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := d.Remove(t.Context(), "heir", directory.Removal{}); err != nil {
		t.Fatal(err)
	}
	c.core.Clock.Advance(time.Hour)
	_, err := d.Inherit(t.Context(), "leaver", "heir")
	want(t, err, directory.Invalid, "successor")
}

func TestMoreGroupsThanADayTakes(t *testing.T) {
	c, d := departing(t, 0, 310)
	if err := d.Remove(t.Context(), "leaver", directory.Removal{}); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		// A new process each time: how many were passed on today is not remembered.
		d = c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(*wecom.Directory)
		got, err := d.Inherit(t.Context(), "leaver", "heir")
		if err != nil || got.Refused != 0 || n > 60 {
			t.Fatalf("%+v, %v", got, err)
		}
		if got.Waiting == 0 {
			break
		}
		if got.Again.IsZero() {
			got.Again = c.now().Add(time.Hour)
		}
		c.core.Clock.Advance(got.Again.Sub(c.now()))
	}
	c.core.Clock.Advance(25 * time.Hour)
	if by := c.held(t, "groups", "owner"); by["heir"] != 310 {
		t.Errorf("groups belong to %v", by)
	}
}

func TestCustomersThatTheAppMayNotReach(t *testing.T) {
	c, d := departing(t, 2, 2)
	if err := d.Remove(t.Context(), "leaver", directory.Removal{}); err != nil {
		t.Fatal(err)
	}
	_, err := d.Inherit(t.Context(), "leaver", "nobody")
	want(t, err, directory.Invalid, "successor")
	if err := c.platform.Configure(c.spec.Name, []byte(`{"closed":["customer"]}`)); err != nil {
		t.Fatal(err)
	}
	_, err = d.Inherit(t.Context(), "leaver", "heir")
	want(t, err, directory.PermissionDenied, "可调用接口的应用", "离职继承")
	if left, err := d.Residuals(t.Context(), "leaver"); left != nil || err != nil {
		t.Errorf("Residuals = %q, %v", left, err)
	}
	if by := c.held(t, "customers", "userid"); by["heir"] != 0 {
		t.Errorf("customers belong to %v", by)
	}
}

func TestTheCreatorStays(t *testing.T) {
	c := newCompany(t)
	if err := c.platform.Configure(c.spec.Name, []byte(`{"creator":"creator"}`)); err != nil {
		t.Fatal(err)
	}
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret)
	want(t, d.(directory.Remover).Remove(t.Context(), "creator", directory.Removal{}), directory.Conflict, "creator")
	if _, err := d.Account(t.Context(), "creator"); err != nil {
		t.Error(err)
	}
}

// Tags that somebody else made are read, and only they take them away.
func TestTagsOfOthersAreReadAndStay(t *testing.T) {
	c := newCompany(t)
	c.people(t, "leaver")
	maker := c.open(t, c.spec.SyncSecret, "").(*wecom.Directory)
	tag, err := maker.CreateRole(t.Context(), directory.Role{Name: "总务"})
	if err != nil {
		t.Fatal(err)
	}
	if err := maker.AddToRole(t.Context(), tag, []directory.RoleMember{{Account: "leaver"}}); err != nil {
		t.Fatal(err)
	}
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(*wecom.Directory)
	roles, err := d.RolesOf(t.Context(), "leaver")
	if err != nil || len(roles) != 1 || roles[0].Role != tag {
		t.Fatalf("has %+v, %v", roles, err)
	}
	want(t, d.RemoveFromRole(t.Context(), tag, roles), directory.PermissionDenied, "通讯录 → 标签")
	if again, err := d.RolesOf(t.Context(), "leaver"); err != nil || len(again) != 1 {
		t.Errorf("has %+v, %v", again, err)
	}
}

func TestTwoHundredAreAskedAboutInFewReadings(t *testing.T) {
	c := newCompany(t)
	_, err := c.platform.Seed(c.spec.Name, core.Seed{Users: 200, Departments: 2})
	if err != nil {
		t.Fatal(err)
	}
	d := c.open(t, c.spec.SyncSecret, c.spec.Apps[0].Secret).(*wecom.Directory)
	const tags = 10
	for i := range tags {
		id, err := d.CreateRole(t.Context(), directory.Role{Name: fmt.Sprintf("标签%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.AddToRole(t.Context(), id, []directory.RoleMember{{Account: "S00001"}}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	people := make(chan int)
	for range 10 {
		wg.Go(func() {
			for i := range people {
				roles, err := d.RolesOf(t.Context(), fmt.Sprintf("S%05d", i))
				if want := map[bool]int{true: tags}[i == 1]; err != nil || len(roles) != want {
					t.Errorf("S%05d has %d roles, %v, want %d", i, len(roles), err, want)
				}
			}
		})
	}
	for i := range 200 {
		people <- i + 1
	}
	close(people)
	wg.Wait()
	if n := c.calls("tag/get"); n > 200*tags/2 {
		t.Errorf("%d readings of tags", n)
	}
}
