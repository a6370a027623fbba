package world

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// User is somebody on a tenant, in the same words for both platforms.
type User struct {
	ID, Name, Mobile, Email, Title string
	// Number is what the platform has as the employee number, empty where there is none.
	Number string
	// Manager is a user id, Departments are department ids in no order, Leads those of them that the person leads.
	Manager            string
	Departments, Leads []string
	Frozen             bool
}

// Unit is a department of a tenant, the company itself left out.
type Unit struct{ ID, Name, Parent string }

type weComUser struct {
	UserID, Name, Mobile, Email, Position string
	Department                            []int
	IsLeaderInDept                        []int    `json:"is_leader_in_dept"`
	DirectLeader                          []string `json:"direct_leader"`
	Enable                                int
	ExtAttr                               []struct {
		Name string
		Text struct{ Value string }
	}
}

func (u *weComUser) user() User {
	out := User{ID: u.UserID, Name: u.Name, Mobile: u.Mobile, Email: u.Email, Title: u.Position, Frozen: u.Enable == 0}
	if len(u.DirectLeader) > 0 {
		out.Manager = u.DirectLeader[0]
	}
	for i, d := range u.Department {
		out.Departments = append(out.Departments, strconv.Itoa(d))
		if u.IsLeaderInDept[i] == 1 {
			out.Leads = append(out.Leads, strconv.Itoa(d))
		}
	}
	for _, a := range u.ExtAttr {
		if a.Name == "工号" {
			out.Number = a.Text.Value
		}
	}
	return out
}

type dingTalkUser struct {
	UserID, Name, Mobile, Email, Title string
	JobNumber                          string  `json:"job_number"`
	Manager                            string  `json:"manager_userid"`
	Departments                        []int64 `json:"dept_id_list"`
	Leads                              []struct {
		Department int64 `json:"dept_id"`
		Leader     bool
	} `json:"leader_in_dept"`
	Disabled *bool `json:"disable_status"`
}

func (u *dingTalkUser) user() User {
	out := User{
		ID: u.UserID, Name: u.Name, Mobile: u.Mobile, Email: u.Email, Title: u.Title, Number: u.JobNumber, Manager: u.Manager,
		Frozen: u.Disabled != nil && *u.Disabled,
	}
	for _, d := range u.Departments {
		out.Departments = append(out.Departments, strconv.FormatInt(d, 10))
	}
	for _, l := range u.Leads {
		if l.Leader {
			out.Leads = append(out.Leads, strconv.FormatInt(l.Department, 10))
		}
	}
	return out
}

func (t *Tenant) read(text json.RawMessage) (User, error) {
	if t.Platform == WeCom {
		var u weComUser
		if err := json.Unmarshal(text, &u); err != nil {
			return User{}, fmt.Errorf("reading a user: %w", err)
		}
		return u.user(), nil
	}
	var u dingTalkUser
	if err := json.Unmarshal(text, &u); err != nil {
		return User{}, fmt.Errorf("reading a user: %w", err)
	}
	return u.user(), nil
}

// Users is everybody on the tenant, sorted by id.
func (t *Tenant) Users(ctx context.Context) ([]User, error) {
	var out struct{ Users []json.RawMessage }
	if err := t.sim.Control(ctx, http.MethodGet, "/state/"+t.Platform+"/"+t.Name+"/users", nil, &out); err != nil {
		return nil, err
	}
	users := make([]User, 0, len(out.Users))
	for _, text := range out.Users {
		u, err := t.read(text)
		if err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	slices.SortFunc(users, func(a, b User) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return users, nil
}

// User is one person.
func (t *Tenant) User(ctx context.Context, id string) (User, error) {
	var text json.RawMessage
	if err := t.sim.Control(ctx, http.MethodGet, t.path("users", id), nil, &text); err != nil {
		return User{}, err
	}
	return t.read(text)
}

// Departments are all departments of the tenant but the company itself.
func (t *Tenant) Departments(ctx context.Context) ([]Unit, error) {
	var out struct {
		Departments []struct {
			ID           int64 `json:"id"`
			DeptID       int64 `json:"dept_id"`
			Name         string
			ParentID     int64 `json:"parentid"`
			LegacyParent int64 `json:"parent_id"`
		}
	}
	if err := t.sim.Control(ctx, http.MethodGet, "/state/"+t.Platform+"/"+t.Name+"/departments", nil, &out); err != nil {
		return nil, err
	}
	var units []Unit
	for _, d := range out.Departments {
		if id := max(d.ID, d.DeptID); id != 1 {
			units = append(units, Unit{ID: strconv.FormatInt(id, 10), Name: d.Name, Parent: strconv.FormatInt(max(d.ParentID, d.LegacyParent), 10)})
		}
	}
	return units, nil
}

// Add puts a user on the tenant by hand.
func (t *Tenant) Add(ctx context.Context, id string, fields map[string]any) error {
	return t.sim.Control(ctx, http.MethodPut, t.path("users", id), fields, nil)
}

// Edit changes a user by hand; the names of fields are the platform's.
func (t *Tenant) Edit(ctx context.Context, id string, fields map[string]any) error {
	return t.sim.Control(ctx, http.MethodPost, t.path("users", id), fields, nil)
}

// Remove deletes a user by hand.
func (t *Tenant) Remove(ctx context.Context, id string) error {
	return t.sim.Control(ctx, http.MethodDelete, t.path("users", id), nil, nil)
}

// EditTitle changes somebody's title by hand.
func (t *Tenant) EditTitle(ctx context.Context, id, title string) error {
	field := "title"
	if t.Platform == WeCom {
		field = "position"
	}
	return t.Edit(ctx, id, map[string]any{field: title})
}
