package controllers

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"rollcall.dev/rollcall/internal/audit"
	"rollcall.dev/rollcall/internal/execute"
	"rollcall.dev/rollcall/internal/kube"
	"rollcall.dev/rollcall/internal/tenant"
)

// onBehalf says for the record who declares what is about to be done (P8).
func onBehalf(t *tenant.Tenant, o client.Object, kind, reason string) execute.By {
	return declaredBy(t.Name, t.Trail, o, kind, reason)
}

// onBehalfIn is the same in a linked system.
func onBehalfIn(l *tenant.Linked, o client.Object, kind, reason string) execute.By {
	return declaredBy(systemLabel(splitName(l.Name)).String(), l.Trail, o, kind, reason)
}

func declaredBy(name string, trail *audit.Log, o client.Object, kind, reason string) execute.By {
	by := execute.By{
		Account: name, Reason: reason,
		Actor: audit.Actor{
			Kind: kind, Name: o.GetName(), UID: string(o.GetUID()), Generation: o.GetGeneration(), Manager: kube.Author(o),
		},
	}
	if trail != nil {
		by.Trail = trail
	}
	return by
}
