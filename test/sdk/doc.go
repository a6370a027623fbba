// Package sdk proves the simulators with SDKs that nobody here wrote: what they
// send is understood, what they get is what they expect, and the state behind it,
// as the control endpoint shows it, is the one they asked for.
//
// The SDKs are github.com/zhaoyunxing92/dingtalk/v2, github.com/silenceper/wechat/v2 and,
// for Smart-HR and approvals, DingTalk's own github.com/alibabacloud-go/dingtalk. The
// first two know one address only, that of the platform; the tests replace
// [net/http.DefaultTransport], and whatever is meant for another host than the platforms'
// fails. The third is given the simulator's. The simulator runs as a program.
//
// This module is apart from the operator's, so that no SDK gets near it. Where an
// SDK and a simulator disagree, the simulator's package comment says who is right,
// and why.
package sdk
