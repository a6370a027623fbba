// Package provider lists the platforms that Rollcall knows.
package provider

import (
	"rollcall.dev/rollcall/internal/directory"
	"rollcall.dev/rollcall/internal/provider/dingtalk"
	"rollcall.dev/rollcall/internal/provider/wecom"
)

// All returns every platform, in the order of the documentation.
func All() []directory.Descriptor {
	return []directory.Descriptor{dingtalk.Descriptor(), wecom.Descriptor()}
}
