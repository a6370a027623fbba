package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/client-go/util/retry"
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
	user, err := c.whoami(ctx)
	if err != nil {
		return err
	}
	// Rollcall writes into it at any moment.
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error { return c.confirm(ctx, names[0], names[1], *note, user) })
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s of %s is confirmed by %s\n", names[1], names[0], user)
	return err
}

// confirm writes one confirmation, if the task is open.
func (c *cluster) confirm(ctx context.Context, name, task, note, user string) error {
	ob := &v1alpha1.Offboarding{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: name}, ob); err != nil {
		return fmt.Errorf("reading the Offboarding: %w", err)
	}
	if slices.ContainsFunc(ob.Spec.Confirmations, func(c v1alpha1.Confirmation) bool { return c.Task == task }) {
		return fmt.Errorf("%s was confirmed before", task)
	}
	if open := tasks(ob); !slices.Contains(open, task) {
		return fmt.Errorf("%s has no task %q; open are: %s", name, task, strings.Join(open, ", "))
	}
	before := ob.DeepCopy()
	ob.Spec.Confirmations = append(ob.Spec.Confirmations, v1alpha1.Confirmation{Task: task, Note: note})
	// Who confirmed it is read from the field manager.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, ob, patch, client.FieldOwner(fieldManager(user))); err != nil {
		return fmt.Errorf("writing the confirmation: %w", err)
	}
	return nil
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
	for _, a := range ob.Status.LinkedAccounts {
		if a.Task.Name != "" && a.Task.ConfirmedTime == nil {
			open = append(open, a.Task.Name)
		}
	}
	return open
}
