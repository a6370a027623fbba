package main

// job is what people do in a department. The first job of a department leads it.
type job struct {
	title  string
	level  string // 职级; sales and temporary people have none
	number int    // of people
}

type department struct {
	Object, Name, Code, Parent string
	place                      string // where its people work
	floor                      string // of their desks; empty: they have none of their own
	jobs                       []job

	// What the generator fills in.
	Order    int
	Managers []string
}

const (
	shanghai = "上海总部"
	suzhou   = "苏州工厂"
	hangzhou = "杭州"
	shenzhen = "深圳"
)

// The company: 30 departments in four levels, parents first.
var company = []*department{
	{Object: "office", Name: "总经理办公室", Code: "GM", place: shanghai, floor: "C5", jobs: []job{
		{"首席执行官", "M6", 1}, {"战略投资总监", "M4", 1}, {"总经理助理", "P7", 2}, {"行政秘书", "P5", 1}}},

	{Object: "rd", Name: "研发中心", Code: "RD", place: shanghai, floor: "A5", jobs: []job{
		{"首席技术官", "M5", 1}, {"研发运营经理", "M2", 1}}},
	{Object: "rd-platform", Name: "平台研发部", Code: "RDP", Parent: "rd", place: shanghai, floor: "A3", jobs: []job{
		{"平台研发总监", "M4", 1}, {"首席架构师", "P10", 1}}},
	{Object: "rd-backend", Name: "后端组", Code: "RDPB", Parent: "rd-platform", place: shanghai, floor: "A3", jobs: []job{
		{"后端组经理", "M2", 1}, {"高级后端工程师", "P7", 9}, {"后端工程师", "P5", 14}, {intern, "", 2}}},
	{Object: "rd-frontend", Name: "前端组", Code: "RDPF", Parent: "rd-platform", place: shanghai, floor: "A3", jobs: []job{
		{"前端组经理", "M2", 1}, {"高级前端工程师", "P7", 5}, {"前端工程师", "P5", 9}, {intern, "", 1}}},
	{Object: "rd-infra", Name: "基础架构组", Code: "RDPI", Parent: "rd-platform", place: shanghai, floor: "A4", jobs: []job{
		{"基础架构经理", "M3", 1}, {"架构师", "P8", 2}}},
	{Object: "rd-database", Name: "数据库小组", Code: "RDPID", Parent: "rd-infra", place: shanghai, floor: "A4", jobs: []job{
		{"数据库负责人", "M2", 1}, {"数据库工程师", "P6", 5}}},
	{Object: "rd-sre", Name: "稳定性小组", Code: "RDPIS", Parent: "rd-infra", place: shanghai, floor: "A4", jobs: []job{
		{"稳定性负责人", "M2", 1}, {"运维工程师", "P6", 8}}},
	{Object: "rd-device", Name: "终端研发部", Code: "RDD", Parent: "rd", place: shenzhen, floor: "S2", jobs: []job{
		{"终端研发总监", "M4", 1}, {"系统架构师", "P9", 1}}},
	{Object: "rd-embedded", Name: "嵌入式组", Code: "RDDE", Parent: "rd-device", place: shenzhen, floor: "S2", jobs: []job{
		{"嵌入式组经理", "M2", 1}, {"高级嵌入式工程师", "P7", 4}, {"嵌入式工程师", "P5", 9}}},
	{Object: "rd-hardware", Name: "硬件组", Code: "RDDH", Parent: "rd-device", place: shenzhen, floor: "S3", jobs: []job{
		{"硬件组经理", "M2", 1}, {"硬件工程师", "P6", 6}, {"结构工程师", "P6", 3}}},
	{Object: "rd-ai", Name: "算法部", Code: "RDA", Parent: "rd", place: shanghai, floor: "A5", jobs: []job{
		{"算法总监", "M4", 1}, {"高级算法工程师", "P8", 4}, {"算法工程师", "P6", 9}}},
	{Object: "rd-qa", Name: "质量保障部", Code: "RDQ", Parent: "rd", place: shanghai, floor: "A2", jobs: []job{
		{"质量总监", "M3", 1}, {"测试开发工程师", "P6", 5}, {"测试工程师", "P5", 8}}},

	{Object: "product", Name: "产品中心", Code: "PD", place: shanghai, floor: "B3", jobs: []job{
		{"产品副总裁", "M5", 1}, {"高级产品经理", "P7", 3}, {"产品经理", "P6", 5}}},
	{Object: "product-ux", Name: "用户体验部", Code: "PDX", Parent: "product", place: shanghai, floor: "B3", jobs: []job{
		{"用户体验经理", "M2", 1}, {"交互设计师", "P6", 3}, {"视觉设计师", "P6", 3}, {"用户研究员", "P6", 1}}},

	{Object: "sales", Name: "营销中心", Code: "SA", place: shanghai, floor: "B2", jobs: []job{
		{"营销副总裁", "M5", 1}, {"销售运营经理", "M1", 1}, {"销售助理", "P4", 1}}},
	{Object: "sales-east", Name: "华东大区", Code: "SAE", Parent: "sales", place: shanghai, floor: "B2", jobs: []job{
		{"华东大区总监", "M4", 1}, {"区域助理", "P4", 1}}},
	{Object: "sales-shanghai", Name: "上海办事处", Code: "SAES", Parent: "sales-east", place: shanghai, floor: "B2", jobs: []job{
		{"上海办事处经理", "M2", 1}, {"客户经理", "P5", 5}, {"售前工程师", "P6", 2}}},
	{Object: "sales-keyaccounts", Name: "大客户组", Code: "SAESK", Parent: "sales-shanghai", place: shanghai, floor: "B2", jobs: []job{
		{"大客户总监", "M3", 1}, {"大客户经理", "P7", 4}, {"解决方案顾问", "P7", 1}}},
	{Object: "sales-hangzhou", Name: "杭州办事处", Code: "SAEH", Parent: "sales-east", place: hangzhou, jobs: []job{
		{"杭州办事处经理", "M2", 1}, {"客户经理", "P5", 5}, {"售前工程师", "P6", 1}}},
	{Object: "sales-south", Name: "华南大区", Code: "SAS", Parent: "sales", place: shenzhen, floor: "S1", jobs: []job{
		{"华南大区总监", "M4", 1}, {"客户经理", "P5", 6}, {"售前工程师", "P6", 2}}},
	{Object: "marketing", Name: "市场部", Code: "SAM", Parent: "sales", place: shanghai, floor: "B1", jobs: []job{
		{"市场总监", "M3", 1}, {"品牌经理", "P6", 2}, {"内容运营", "P5", 3}, {"活动策划", "P5", 1}, {intern, "", 1}}},

	{Object: "operations", Name: "运营与供应链中心", Code: "OP", place: suzhou, floor: "Z1", jobs: []job{
		{"首席运营官", "M5", 1}, {"运营经理", "M2", 1}}},
	{Object: "purchasing", Name: "采购部", Code: "OPP", Parent: "operations", place: suzhou, floor: "Z1", jobs: []job{
		{"采购经理", "M2", 1}, {"采购工程师", "P5", 4}, {"供应商质量工程师", "P6", 2}}},
	{Object: "manufacturing", Name: "生产部", Code: "OPM", Parent: "operations", place: suzhou, jobs: []job{
		{"生产经理", "M3", 1}, {"生产主管", "M1", 3}, {"工艺工程师", "P6", 4}, {"班组长", "P4", 4}, {"技术员", "P3", 10}}},
	{Object: "support", Name: "客户服务部", Code: "OPS", Parent: "operations", place: shanghai, floor: "B1", jobs: []job{
		{"客户服务经理", "M2", 1}, {"高级客服专员", "P5", 4}, {"客服专员", "P3", 10}}},

	{Object: "corporate", Name: "综合管理中心", Code: "CO", place: shanghai, floor: "C4", jobs: []job{
		{"首席财务官", "M5", 1}, {"综合管理秘书", "P4", 1}}},
	{Object: "hr", Name: "人力资源部", Code: "COH", Parent: "corporate", place: shanghai, floor: "C3", jobs: []job{
		{"人力资源总监", "M4", 1}, {"人力资源业务伙伴", "P6", 2}, {"招聘专员", "P5", 2}, {"薪酬专员", "P5", 1}, {"培训专员", "P5", 1}}},
	{Object: "finance", Name: "财务部", Code: "COF", Parent: "corporate", place: shanghai, floor: "C3", jobs: []job{
		{"财务总监", "M4", 1}, {"财务业务伙伴", "P6", 2}, {"会计", "P5", 4}, {"出纳", "P4", 1}}},
	{Object: "legal", Name: "法务部", Code: "COL", Parent: "corporate", place: shanghai, floor: "C4", jobs: []job{
		{"法务总监", "M4", 1}, {"法律顾问", "P7", 2}, {"合规专员", "P5", 1}}},
}

const intern = "实习生"

// also puts people into a second department: one of that title for each department named.
var also = map[string][]string{
	"product/高级产品经理":       {"rd-platform", "rd-device", "rd-ai"},
	"hr/人力资源业务伙伴":          {"rd", "sales"},
	"finance/财务业务伙伴":       {"operations", "sales"},
	"sales-shanghai/售前工程师": {"product"},
	"manufacturing/工艺工程师":  {"rd-hardware", "rd-embedded"},
	"rd-qa/测试开发工程师":        {"rd-device"},
	"legal/合规专员":           {"hr"},
}

// twoManagers are departments that their first two people lead.
var twoManagers = map[string]bool{"rd": true}

// frozen people have their accounts, on WeCom only, and cannot use them: the last of that title.
var frozen = map[string]string{
	"rd-backend/后端工程师": "长期病假，预计 2026-09-01 返岗",
	"support/客服专员":     "配合内部审计，暂停账号",
}

// enterprise people have a DingTalk account that belongs to the company: the last of that title.
var enterprise = map[string]bool{"manufacturing/班组长": true}

// private people keep their contact data out of Git: the first of that title.
var private = map[string]bool{
	"office/首席执行官": true, "rd/首席技术官": true, "product/产品副总裁": true, "sales/营销副总裁": true,
	"operations/首席运营官": true, "corporate/首席财务官": true, "hr/人力资源总监": true, "legal/法务总监": true,
}

// linked are those who have accounts in the linked systems: everybody of a department, or of a title.
var linked = map[string]bool{"finance": true, "corporate/首席财务官": true}

// newcomers were hired this year and get their numbers from a rule: the last of that title.
var newcomers = map[string]bool{
	"rd-backend/高级后端工程师": true, "rd-frontend/前端工程师": true, "rd-sre/运维工程师": true, "rd-ai/算法工程师": true,
	"product/产品经理": true, "sales-south/客户经理": true, "manufacturing/技术员": true, "finance/会计": true,
}

// namesakes carry the same name: the first of that title.
var namesakes = map[string]bool{"rd-infra/架构师": true, "marketing/品牌经理": true}
