package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/api/v1alpha1"
)

// confirm says that a manual task is done.
func confirm(ctx context.Context, args []string, out io.Writer) error {
	flags := newFlags("confirm", out)
	var at target
	at.register(flags)
	note := flags.String("note", "", "about it, for the record")
	names, err := parse(flags, args)
	if err != nil {
		return err
	}
	if len(names) != 2 {
		return errors.New("name one Offboarding and one of its tasks; kubectl describe offboarding lists them")
	}
	c, err := connect(at)
	if err != nil {
		return err
	}
	ob := &v1alpha1.Offboarding{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: names[0]}, ob); err != nil {
		return fmt.Errorf("reading the Offboarding: %w", err)
	}
	if slices.ContainsFunc(ob.Spec.Confirmations, func(c v1alpha1.Confirmation) bool { return c.Task == names[1] }) {
		return fmt.Errorf("%s was confirmed before", names[1])
	}
	if open := tasks(ob); !slices.Contains(open, names[1]) {
		return fmt.Errorf("%s has no task %q; open are: %s", ob.Name, names[1], strings.Join(open, ", "))
	}
	user, err := c.whoami(ctx)
	if err != nil {
		return err
	}
	before := ob.DeepCopy()
	ob.Spec.Confirmations = append(ob.Spec.Confirmations, v1alpha1.Confirmation{Task: names[1], Note: *note})
	// Who confirmed it is read from the field manager.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, ob, patch, client.FieldOwner(fieldManager(user))); err != nil {
		return fmt.Errorf("writing the confirmation: %w", err)
	}
	_, err = fmt.Fprintf(out, "%s of %s is confirmed by %s\n", names[1], ob.Name, user)
	return err
}

// fieldManager names the caller; the API server takes up to 128 characters.
func fieldManager(user string) string {
	name := "kubectl-rollcall/" + user
	return name[:min(len(name), 128)]
}

// tasks are those of a leaving that nobody has confirmed.
func tasks(ob *v1alpha1.Offboarding) (open []string) {
	for _, a := range ob.Status.Accounts {
		for _, t := range a.Tasks {
			if t.ConfirmedTime == nil {
				open = append(open, t.Name)
			}
		}
	}
	return open
}
