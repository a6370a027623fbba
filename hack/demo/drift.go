package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// driftedTitle is what somebody writes by hand on the platform.
const driftedTitle = "首席摸鱼官"

// account is one person's account on a simulated platform.
type account struct {
	person, name string // of the Employee; of the person, for people
	on, userID   string // the EnterpriseAccount; on the platform
	title        string // as declared
	platform     string // as the simulator calls it
	titleField   string // the platform's name of the title
	url          string // at the control endpoint
}

// driftAndHeal changes somebody's title by hand on every platform, and waits until it is as declared again.
func (d *demo) driftAndHeal(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTookTooLong)
	defer cancel()
	all, err := d.accounts(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	for _, a := range all {
		if err := a.drift(ctx); err != nil {
			return fmt.Errorf("drifting %s on %s: %w", a.person, a.platform, err)
		}
		d.out.step("drift", "%s is %s on %s now, by hand; declared is %s", a.name, driftedTitle, a.platform, a.title)
	}
	for _, a := range all {
		if err := d.awaitHealing(ctx, a, began); err != nil {
			return fmt.Errorf("waiting for %s to heal on %s: %w", a.person, a.platform, because(ctx, err))
		}
		d.out.step("healed", "%s is %s again on %s, after %s", a.name, a.title, a.platform, seconds(began))
	}
	return nil
}

func (d *demo) awaitHealing(ctx context.Context, a account, began time.Time) error {
	return wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := a.currentTitle(ctx)
		d.out.progress("drift", "waiting for %s to heal · %d s", a.platform, int(time.Since(began).Seconds()))
		return now == a.title, err
	})
}

// accounts finds the accounts of the first ready person of the company that has a title.
func (d *demo) accounts(ctx context.Context) ([]account, error) {
	var people v1alpha1.EmployeeList
	if err := d.kube.List(ctx, &people, client.InNamespace(company)); err != nil {
		return nil, fmt.Errorf("looking for a person: %w", err)
	}
	for i := range people.Items {
		person := &people.Items[i]
		if person.Spec.Title == "" || len(person.Status.Accounts) == 0 || !isActive(person) {
			continue
		}
		var all []account
		for _, status := range person.Status.Accounts {
			a, err := d.account(ctx, person, status)
			if err != nil {
				return nil, err
			}
			all = append(all, a)
		}
		return all, nil
	}
	return nil, errors.New("looking for a person: nobody is ready and has a title and an account")
}

func isActive(person *v1alpha1.Employee) bool {
	for _, status := range person.Status.Accounts {
		if status.State != v1alpha1.AccountActive {
			return false
		}
	}
	return meta.IsStatusConditionTrue(person.Status.Conditions, "Ready")
}

func (d *demo) account(ctx context.Context, person *v1alpha1.Employee, status v1alpha1.EmployeeAccountStatus) (account, error) {
	var enterprise v1alpha1.EnterpriseAccount
	if err := d.kube.Get(ctx, client.ObjectKey{Namespace: company, Name: status.Name}, &enterprise); err != nil {
		return account{}, fmt.Errorf("looking for the tenant of %s: %w", person.Name, err)
	}
	a := account{person: person.Name, name: person.Spec.Name, on: status.Name, userID: status.UserID, title: person.Spec.Title}
	corp := enterprise.Spec.DingTalk.CorpID
	a.platform, a.titleField = "dingtalk", "title"
	if corp == "" {
		corp = enterprise.Spec.WeCom.CorpID
		a.platform, a.titleField = "wecom", "position"
	}
	tenant, err := d.tenant(ctx, a.platform, corp)
	if err != nil {
		return account{}, err
	}
	a.url = fmt.Sprintf("%s/state/%s/%s/users/%s", d.simulator.ControlURL, a.platform, url.PathEscape(tenant), url.PathEscape(status.UserID))
	return a, nil
}

// tenant finds what the simulator calls the tenant with this corp id.
func (d *demo) tenant(ctx context.Context, platform, corp string) (string, error) {
	var all map[string][]struct{ Name, CorpID string }
	if err := call(ctx, http.MethodGet, d.simulator.ControlURL+"/tenants", nil, &all); err != nil {
		return "", err
	}
	for _, tenant := range all[platform] {
		if tenant.CorpID == corp {
			return tenant.Name, nil
		}
	}
	return "", fmt.Errorf("the simulator has no tenant with corp id %q on %s", corp, platform)
}

// drift writes another title by hand. That it was as declared before is what makes the healing worth seeing.
func (a account) drift(ctx context.Context) error {
	before, err := a.currentTitle(ctx)
	if err != nil {
		return err
	}
	if before != a.title {
		return fmt.Errorf("the title is %q before we touch it, and %q is declared", before, a.title)
	}
	return call(ctx, http.MethodPost, a.url, map[string]string{a.titleField: driftedTitle}, nil)
}

func (a account) currentTitle(ctx context.Context) (string, error) {
	var user map[string]any
	if err := call(ctx, http.MethodGet, a.url, nil, &user); err != nil {
		return "", err
	}
	title, _ := user[a.titleField].(string)
	return title, nil
}

// call speaks JSON with the control endpoint of the simulator.
func call(ctx context.Context, method, address string, body, reply any) error {
	var payload bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&payload).Encode(body); err != nil {
			return fmt.Errorf("%s %s: %w", method, address, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, address, &payload)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %s", method, address, response.Status, text)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(text, reply); err != nil {
		return fmt.Errorf("%s %s: %w", method, address, err)
	}
	return nil
}
