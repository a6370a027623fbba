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
	by := execute.By{
		Account: t.Name, Reason: reason,
		Actor: audit.Actor{
			Kind: kind, Name: o.GetName(), UID: string(o.GetUID()), Generation: o.GetGeneration(), Manager: kube.Author(o),
		},
	}
	if t.Trail != nil {
		by.Trail = t.Trail
	}
	return by
}
