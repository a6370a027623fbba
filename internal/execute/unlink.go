package execute

import (
	"context"
	"fmt"

	"rollcall.dev/rollcall/internal/leaving"
	"rollcall.dev/rollcall/internal/plan"
)

// Unlink carries out one act of unlinking an account of a linked system. The outcome has Left: which act it was and, of
// Residual, what is left.
func Unlink(ctx context.Context, w LinkWork, l Departure) Outcome {
	o := Outcome{}
	if l.Act == ActAttest {
		o.Err = attest(ctx, l, w.By)
	} else if actions := partings(w, l); len(actions) > 0 {
		o = Link(ctx, w, actions)
	} else {
		o.Err = fmt.Errorf("unlinking by %q: no such act", l.Act)
	}
	if l.Act == leaving.ActResidual {
		o.Err = unlessNotFound(o.Err) // who is not known there has left nothing
	}
	o.Left = &Left{Departure: l, Read: o.Err == nil && l.Act == leaving.ActResidual, Residuals: o.Residuals}
	return o
}

// partings are the calls of an act. Before it is looked for what is left, the account is read: it may be that
// somebody gave access back.
func partings(w LinkWork, l Departure) []plan.LinkAction {
	confirm := plan.LinkAction{Kind: plan.Confirm, ID: l.Account}
	switch l.Act {
	case leaving.ActConfirm:
		return []plan.LinkAction{confirm}
	case leaving.ActDisable:
		return []plan.LinkAction{{Kind: plan.Disable, ID: l.Account}}
	case leaving.ActUnlink:
		return []plan.LinkAction{{Kind: plan.Unlink, ID: l.Account}}
	case leaving.ActDelete:
		if w.Capabilities.DisableRemoves && !w.Capabilities.Deletes {
			return []plan.LinkAction{{Kind: plan.Disable, ID: l.Account, Removes: true}}
		}
		return []plan.LinkAction{{Kind: plan.Delete, ID: l.Account, Removes: true}}
	case leaving.ActResidual:
		return []plan.LinkAction{confirm, {Kind: plan.Check, ID: l.Account, Removes: l.Gone}}
	}
	return nil
}
