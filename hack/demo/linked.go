package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
	"rollcall.dev/rollcall/test/peers"
)

// The LinkedSystems of config/samples/acme.
const (
	inERP   = "erp"
	inDoors = "doors"

	erpToken = "acme-erp-token-not-a-real-one"
)

// How an account stands in a linked system.
const (
	isEnabled  = "Enabled"
	isDisabled = "Disabled"
	isUnlinked = "Unlinked"
	isGone     = "Gone"
)

// startERP serves the ERP system: a SCIM server of other people, with nobody in it yet.
func (d *demo) startERP(ctx context.Context) error {
	handler, err := peers.Elimity(peers.ElimityOptions{Token: erpToken})
	if err != nil {
		return fmt.Errorf("making the ERP system: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", erpAddress)
	if err != nil {
		return fmt.Errorf("starting the ERP system, stop the program that uses its address: %w", err)
	}
	d.erp = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := d.erp.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.fail(fmt.Errorf("the ERP system ended by itself: %w", err))
		}
	}()
	d.out.step("linked systems", "ERP (SCIM) http://%s, doors (webhooks) %s", erpAddress, d.simulator.WebhookURL)
	return nil
}

// doorOf is where the account can be seen and changed by hand.
func (d *demo) doorOf(id string) string { return d.simulator.ControlURL + "/webhook/accounts/" + id }

// standing asks the system itself how an account stands.
func (d *demo) standing(ctx context.Context, system, id string) (string, error) {
	address := map[string]string{inERP: "http://" + erpAddress + "/Users/" + id, inDoors: d.doorOf(id)}[system]
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+erpToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking %s: %w", system, err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		return isGone, nil
	}
	account := struct {
		State  string
		Active bool
	}{}
	if err := json.NewDecoder(response.Body).Decode(&account); err != nil || response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking %s: status %d: %w", system, response.StatusCode, err)
	}
	switch {
	case system == inDoors:
		return account.State, nil
	case account.Active:
		return isEnabled, nil
	}
	return isDisabled, nil
}

// linkedPerson is the first person who has an account in every linked system, and is as declared.
func (d *demo) linkedPerson(ctx context.Context) (*v1alpha1.Employee, error) {
	var people v1alpha1.EmployeeList
	if err := d.kube.List(ctx, &people, client.InNamespace(company)); err != nil {
		return nil, fmt.Errorf("looking for a person with linked accounts: %w", err)
	}
	for i := range people.Items {
		if e := &people.Items[i]; isLinked(e) {
			return e, nil
		}
	}
	return nil, errors.New("looking for a person with linked accounts: there is nobody")
}

func isLinked(e *v1alpha1.Employee) bool {
	for _, l := range e.Status.LinkedAccounts {
		if l.State != v1alpha1.LinkedActive {
			return false
		}
	}
	return len(e.Status.LinkedAccounts) > 0 && meta.IsStatusConditionTrue(e.Status.Conditions, "Ready")
}

// linkID is the id of somebody's account in a linked system.
func linkID(e *v1alpha1.Employee, system string) string {
	for _, l := range e.Status.LinkedAccounts {
		if l.Name == system {
			return l.AccountID
		}
	}
	return ""
}

// freezeAndThaw freezes somebody, sees the accounts disabled in the linked systems, and gives them back.
func (d *demo) freezeAndThaw(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTookTooLong)
	defer cancel()
	e, err := d.linkedPerson(ctx)
	if err != nil {
		return err
	}
	for _, turn := range []struct{ what, patch, state string }{
		{"frozen", `{"spec":{"state":"Frozen","stateReason":"长期病假"}}`, isDisabled},
		{"thawed", `{"spec":{"state":null,"stateReason":null}}`, isEnabled},
	} {
		began := time.Now()
		if err := d.kube.Patch(ctx, e, client.RawPatch("application/merge-patch+json", []byte(turn.patch))); err != nil {
			return fmt.Errorf("declaring %s %s: %w", e.Name, turn.what, err)
		}
		for _, l := range e.Status.LinkedAccounts {
			if err := d.awaitStanding(ctx, l.Name, l.AccountID, turn.state); err != nil {
				return fmt.Errorf("waiting until %s is %s in %s: %w", e.Name, turn.what, l.Name, because(ctx, err))
			}
			d.out.step(turn.what, "the account of %s in %s is %s, after %s", e.Spec.Name, l.Name, turn.state, seconds(began))
		}
	}
	return nil
}

func (d *demo) awaitStanding(ctx context.Context, system, id, want string) error {
	last := ""
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (done bool, err error) {
		last, err = d.standing(ctx, system, id)
		return last == want, err
	})
	if err != nil {
		return fmt.Errorf("%w: it is %q", err, last)
	}
	return nil
}

// unlinked fails unless every linked account is unlinked, by the record of the leaving and by what the systems themselves say.
func (d *demo) unlinked(ctx context.Context, ob *v1alpha1.Offboarding) error {
	if len(ob.Spec.LinkedAccounts) == 0 || len(ob.Status.LinkedAccounts) != len(ob.Spec.LinkedAccounts) {
		return fmt.Errorf("the Offboarding %s has %d records of %d linked accounts", ob.Name, len(ob.Status.LinkedAccounts), len(ob.Spec.LinkedAccounts))
	}
	want := map[string]string{inERP: isGone, inDoors: isUnlinked}
	for i, l := range ob.Spec.LinkedAccounts {
		record := &ob.Status.LinkedAccounts[i]
		if record.State != "Done" || record.DisabledTime == nil || record.Evidence == "" {
			return fmt.Errorf("the record of %s is %s: %s", l.Name, record.State, record.Message)
		}
		switch is, err := d.standing(ctx, l.Name, l.AccountID); {
		case err != nil:
			return err
		case is != want[l.Name]:
			return fmt.Errorf("the account in %s is %s, and is to be %s", l.Name, is, want[l.Name])
		}
	}
	return nil
}
