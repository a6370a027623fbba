package notice

import "strings"

// Who is told that a right ends.
const (
	Holder To = "Holder"
	Owner  To = "Owner"
)

// Ending is a right that ends.
type Ending struct {
	// Role is what the platform calls it, on Account, as the EnterpriseAccount is called.
	Role, Account string
	// Until is when it ends, in words.
	Until string
	// Reason is why it was given.
	Reason string
	// Binding is where it is declared.
	Binding string
}

var endings = map[Language]map[To]string{
	Chinese: {
		Holder: "【权限到期】您在 {account} 的角色「{role}」将于 {until} 到期收回（授予原因：{reason}）。如仍需要，请提前联系负责人。",
		Owner:  "【权限到期】您负责的授权 {binding}（{account} 的角色「{role}」）将于 {until} 到期，届时所有持有人的该角色将被收回。如仍需要，请提前延长。",
	},
	English: {
		Holder: "[Permissions] Your role \"{role}\" on {account} ends at {until} (it was given because: {reason}). If you need it longer, talk to whoever answers for it now.",
		Owner:  "[Permissions] The binding {binding} that you answer for (role \"{role}\" on {account}) ends at {until}, and everybody loses the role then. If it is needed longer, have it extended now.",
	},
}

// EndingText is what is said to somebody about a right that ends. An unknown language is
// Chinese. It has at most [Limit] bytes.
func EndingText(to To, in Language, e Ending) string {
	if _, ok := endings[in]; !ok {
		in = Chinese
	}
	return cut(strings.NewReplacer(
		"{role}", e.Role, "{account}", e.Account, "{until}", e.Until, "{reason}", e.Reason, "{binding}", e.Binding,
	).Replace(endings[in][to]))
}
