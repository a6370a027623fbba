// A SCIM 2.0 server out of scimmy-routers: they know the protocol, filters and PATCH; what is
// here is storage and uniqueness. It says where it listens, and ends when its standard input does.
// Environment: TOKEN is the bearer token, FILTER=no and PATCH=no take the word back that it can do these, and
// GROUPS=yes lets accounts say which groups they are in.
import crypto from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const { TOKEN, FILTER, PATCH, GROUPS } = process.env;

// store keeps resources of one type, of which no two have the same key, in whatever case.
// more is what a resource says beside what is kept.
function store(key, more = () => ({})) {
	const all = new Map();
	const refuse = (status, type, detail) => new SCIMMY.Types.Error(status, type, detail);
	const fold = value => String(value ?? "").toLowerCase();
	const told = record => ({ ...structuredClone(record), ...more(record.id) });
	return {
		all,
		ingress: async (resource, data) => {
			const now = new Date();
			for (const [id, other] of all) {
				if (id !== resource.id && fold(other[key]) === fold(data[key])) throw refuse(409, "uniqueness", `${key} is taken`);
			}
			if (resource.id && !all.has(resource.id)) throw refuse(404, null, "not found");
			const id = resource.id ?? crypto.randomUUID();
			const created = all.get(id)?.meta.created ?? now;
			const record = { ...JSON.parse(JSON.stringify(data)), id, meta: { created, lastModified: now } };
			all.set(id, record);
			return told(record);
		},
		egress: async resource => {
			if (resource.id) {
				if (!all.has(resource.id)) throw refuse(404, null, "not found");
				return told(all.get(resource.id));
			}
			const found = [...all.values()].map(told);
			return resource.filter ? resource.filter.match(found) : found;
		},
		degress: async resource => {
			if (!all.delete(resource.id)) throw refuse(404, null, "not found");
		},
	};
}

SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
const groups = store("displayName");
const users = store("userName", id => GROUPS !== "yes" ? {} : {
	groups: [...groups.all.values()].filter(group => group.members?.some(member => member.value === id)).map(group => ({ value: group.id, type: "direct" })),
});
SCIMMY.Resources.declare(SCIMMY.Resources.User, users);
SCIMMY.Resources.declare(SCIMMY.Resources.Group, groups);

const app = express();
// Between tests: nobody and no groups.
app.post("/reset", (request, response) => {
	users.all.clear();
	groups.all.clear();
	response.sendStatus(204);
});
app.use("/scim/v2", new SCIMMYRouters({
	type: "bearer",
	handler: request => {
		if (request.header("Authorization") !== `Bearer ${TOKEN}`) throw new Error("wrong token");
		return "client";
	},
}));
// The routers set what they can do when they are made: this is said after it.
SCIMMY.Config.set({
	patch: PATCH !== "no",
	filter: { supported: FILTER !== "no", maxResults: 50 },
	sort: true,
	bulk: { supported: true, maxOperations: 100, maxPayloadSize: 1048576 },
	etag: false,
	changePassword: false,
});
const server = app.listen(0, "127.0.0.1", () => {
	console.log(`ready http://127.0.0.1:${server.address().port}/scim/v2`);
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
