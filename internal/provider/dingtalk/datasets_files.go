package dingtalk

import (
	"context"
	"crypto/rand"
	"net/url"
	"strconv"

	"rollcall.dev/rollcall/internal/directory"
)

// groups reads chat groups: what they are called, whose they are, how many are in them.
func (x *export) groups(ctx context.Context) error {
	admin, err := x.administrator(ctx)
	if err != nil {
		return err
	}
	return x.each(ctx, func(ctx context.Context, owner string) error {
		query := url.Values{"operatorUserId": {admin}, "pageSize": {strconv.Itoa(groupInfoPage)}, "uuid": {rand.Text()}}
		if owner != "" {
			query.Set("groupOwner", owner)
		}
		seen := &idSet{}
		for page := 1; ; page++ {
			query.Set("pageStart", strconv.Itoa(page))
			a, err := get[struct {
				Total integer `json:"totalCount"`
				Items many[written[struct {
					ID text `json:"openConversationId"`
				}]] `json:"items"`
			}](ctx, x.wire, &opGroupInfos, query)
			if err != nil {
				return err
			}
			before := seen.len()
			for _, g := range a.Items {
				if seen.add(string(g.is.ID)) {
					if err := x.thing(&opGroupInfos, "groups", string(g.is.ID), g.raw); err != nil {
						return err
					}
				}
			}
			switch {
			case len(a.Items) < groupInfoPage:
				x.total("groups", int64(a.Total))
				return nil
			case seen.len() == before:
				return incomplete(&opGroupInfos, "the next page is the same page")
			}
		}
	})
}

// files reads names, places and owners of files: knowledge bases with their nodes,
// and the drive's spaces with what is in them. DingTalk shows what somebody may
// see: the main administrator, or each of the chosen.
func (x *export) files(ctx context.Context) error {
	people := x.scope.Accounts
	if people == nil {
		admin, err := x.administrator(ctx)
		if err != nil {
			return err
		}
		people = []string{admin}
		x.gap("", directory.NotSupported, "DingTalk shows files to those who may see them: only what the main administrator may see is in it")
	}
	var readers []string
	for _, id := range people {
		union, err := x.unionID(ctx, id)
		if err != nil {
			return err
		}
		if union != "" {
			readers = append(readers, union)
		}
	}
	f := &files{export: x}
	each := func(read func(context.Context, string) error) func(context.Context) error {
		return func(ctx context.Context) error {
			for _, reader := range readers {
				if err := read(ctx, reader); err != nil {
					return err
				}
			}
			return nil
		}
	}
	err := x.parts(ctx, part{"workspaces", each(f.workspaces)}, part{"spaces", each(f.spaces)})
	if n := f.closed.len(); err == nil && n > 0 {
		x.gap("", directory.PermissionDenied, "%d folders or spaces may not be seen by those in whose name they were read", n)
	}
	return err
}

// unionID is how newer calls name a person; "" and a gap if there is no such person.
func (x *export) unionID(ctx context.Context, id string) (string, error) {
	got, err := x.wire.user(ctx, id)
	switch {
	case directory.ClassOf(err) == directory.NotFound:
		x.gap("", directory.NotFound, "there is no account %s", id)
		return "", nil
	case err != nil:
		return "", err
	case got.UnionID == "":
		return "", incomplete(&opUser, "it has no unionid")
	}
	return string(got.UnionID), nil
}

// files is one reading of files; several readers see the same ones.
type files struct {
	*export
	seen, closed idSet
}

// pardon counts a place that its reader may not see, or that is gone.
func (f *files) pardon(err error, place string) error {
	if f.broken() {
		return err
	}
	e, denied := missing(err)
	switch {
	case directory.ClassOf(err) == directory.NotFound:
		return nil
	case denied && !hasTrait(e, needsGrant):
		f.closed.add(place)
		return nil
	}
	return err
}

func (f *files) workspaces(ctx context.Context, reader string) error {
	return pages(&opWorkspaces, func(token string) (text, error) {
		query := url.Values{"operatorId": {reader}, "maxResults": {strconv.Itoa(workspacePage)}}
		if token != "" {
			query.Set("nextToken", token)
		}
		page, err := get[struct {
			List many[written[struct {
				ID   text `json:"workspaceId"`
				Root text `json:"rootNodeId"`
			}]] `json:"workspaces"`
			Next text `json:"nextToken"`
		}](ctx, f.wire, &opWorkspaces, query)
		for _, w := range page.List {
			if err == nil && f.seen.add("workspace "+string(w.is.ID)) {
				if err = f.thing(&opWorkspaces, "workspaces", string(w.is.ID), w.raw); err == nil && w.is.Root != "" {
					err = f.nodes(ctx, reader, string(w.is.Root))
				}
			}
		}
		return page.Next, err
	})
}

// nodes goes down a knowledge base; what is yet to be read is kept as ids.
func (f *files) nodes(ctx context.Context, reader, root string) error {
	for open := []string{root}; len(open) > 0; {
		parent := open[len(open)-1]
		open = open[:len(open)-1]
		err := pages(&opNodes, func(token string) (text, error) {
			query := url.Values{"parentNodeId": {parent}, "operatorId": {reader}, "maxResults": {strconv.Itoa(nodePage)}}
			if token != "" {
				query.Set("nextToken", token)
			}
			page, err := get[struct {
				List many[written[struct {
					ID     text    `json:"nodeId"`
					Parent boolean `json:"hasChildren"`
				}]] `json:"nodes"`
				Next text `json:"nextToken"`
			}](ctx, f.wire, &opNodes, query)
			for _, n := range page.List {
				if err == nil && f.seen.add("node "+string(n.is.ID)) {
					err = f.thing(&opNodes, "nodes", string(n.is.ID), n.raw)
					if n.is.Parent {
						open = append(open, string(n.is.ID))
					}
				}
			}
			return page.Next, err
		})
		if err = f.pardon(err, parent); err != nil {
			return err
		}
	}
	return nil
}

func (f *files) spaces(ctx context.Context, reader string) error {
	return pages(&opSpaces, func(token string) (text, error) {
		query := url.Values{"unionId": {reader}, "spaceType": {"org"}, "maxResults": {strconv.Itoa(spacePage)}}
		if token != "" {
			query.Set("nextToken", token)
		}
		page, err := get[struct {
			List many[written[struct {
				ID text `json:"spaceId"`
			}]] `json:"spaces"`
			Next text `json:"nextToken"`
		}](ctx, f.wire, &opSpaces, query)
		for _, s := range page.List {
			if err == nil && f.seen.add("space "+string(s.is.ID)) {
				if err = f.thing(&opSpaces, "spaces", string(s.is.ID), s.raw); err == nil {
					err = f.pardon(f.entries(ctx, reader, string(s.is.ID)), string(s.is.ID))
				}
			}
		}
		return page.Next, err
	})
}

// entries reads a space in ascending order: what changes meanwhile comes twice
// then, and in the other order would be lost (the page says so).
func (f *files) entries(ctx context.Context, reader, space string) error {
	op, seen := opEntries.at(space), &idSet{}
	return pages(op, func(token string) (text, error) {
		option := map[string]any{"maxResults": entryPage, "order": "ASC"}
		if token != "" {
			option["nextToken"] = token
		}
		page, err := post[struct {
			List many[written[struct {
				ID text `json:"id"`
			}]] `json:"dentries"`
			Next text `json:"nextToken"`
		}](ctx, f.wire, f.wire.newer, op, url.Values{"unionId": {reader}}, map[string]any{"option": option})
		for _, e := range page.List {
			if err == nil && seen.add(string(e.is.ID)) {
				err = f.thing(op, "entries", space+"/"+string(e.is.ID), e.raw)
			}
		}
		return page.Next, err
	})
}

// fileLog is what we look at in a record of what somebody did with a file.
type fileLog struct {
	File   text `json:"bizId"`
	Time   text `json:"gmtCreate"`
	UserID text `json:"userId"`
	Action text `json:"action"`
}

// operationLogs reads what people did with files. The next page begins behind the
// last record of this one.
func (x *export) operationLogs(ctx context.Context) error {
	w := x.span("files", 0)
	query := url.Values{
		"startDate": {strconv.FormatInt(w.from.UnixMilli(), 10)}, "endDate": {strconv.FormatInt(w.to.UnixMilli()-1, 10)},
		"pageSize": {strconv.Itoa(logPage)},
	}
	before := &idSet{}
	for {
		page, err := get[struct {
			List many[written[fileLog]] `json:"list"`
		}](ctx, x.wire, &opFileLogs, query)
		if err != nil {
			return err
		}
		here, fresh := &idSet{}, 0
		for _, l := range page.List {
			id := string(l.is.File + "/" + l.is.Time + "/" + l.is.UserID + "/" + l.is.Action)
			if !here.add(id) || !before.add(id) {
				continue
			}
			fresh++
			if x.wants(l.is.UserID) {
				if err := x.thing(&opFileLogs, "files", id, l.raw); err != nil {
					return err
				}
			}
		}
		if len(page.List) < logPage {
			return nil
		}
		if fresh == 0 {
			return incomplete(&opFileLogs, "the next page is the same page")
		}
		last := page.List[len(page.List)-1].is
		query.Set("nextGmtCreate", string(last.Time))
		query.Set("nextBizId", string(last.File))
		before = here
	}
}
