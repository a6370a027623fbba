package restore

import (
	"context"
	"errors"
	"io"

	"rollcall.dev/rollcall/internal/backup/archive"
	"rollcall.dev/rollcall/internal/directory"
)

// Snapshot is a directory at one moment: as an archive has it, or as it is now.
type Snapshot struct {
	// Platform is the proper name, as in [directory.Capabilities].
	Platform string
	// Tenant is the platform's id of the company. Ids of departments and roles mean
	// something in one tenant only; an empty one is taken for the other side's.
	Tenant      string
	Departments []directory.Department
	Accounts    []directory.Account
	Roles       []directory.Role
	Members     []directory.RoleMember
	// KeepsRoles: roles can be made and given there.
	KeepsRoles bool
}

// mostWords bounds a directory, which a restore holds in memory: some 200,000 people.
// An archive can be written by whoever can write to a bucket.
const mostWords = 128 << 20

// Load reads the directory of an archive, through to its proven end. Whoever can
// write to the storage can put another archive in its place: verified is the
// ManifestSHA256 of the archive that was verified, and any other is damage. Empty
// takes what is there.
func Load(r *archive.Reader, verified string) (Snapshot, error) {
	var s Snapshot
	words := 0
	for {
		l, err := r.Next()
		if errors.Is(err, io.EOF) {
			m := r.Manifest()
			if verified != "" && m.SHA256() != verified {
				return Snapshot{}, &archive.Damage{What: "it is another one than was verified"}
			}
			s.Platform, s.Tenant = m.Platform, m.Tenant
			return s, nil
		}
		if err != nil {
			return Snapshot{}, err
		}
		if l.Dataset != directory.DatasetDirectory {
			continue
		}
		if words += r.Words(); words > mostWords {
			return Snapshot{}, &archive.Damage{What: "its directory is bigger than any company's"}
		}
		switch {
		case l.Department != nil:
			s.Departments = append(s.Departments, *l.Department)
		case l.Account != nil:
			s.Accounts = append(s.Accounts, *l.Account)
		case l.Role != nil:
			s.Roles = append(s.Roles, *l.Role)
		case l.Member != nil:
			s.Members = append(s.Members, *l.Member)
		}
	}
}

// Observe reads a target: pages, not people. A listing that proves nobody's absence
// is an error of class Unavailable: it would make people twice (P5).
func Observe(ctx context.Context, d directory.Directory) (Snapshot, error) {
	caps := d.Capabilities()
	l, err := d.List(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	if len(l.Gaps) > 0 {
		return Snapshot{}, &directory.Error{Class: directory.Unavailable, Operation: "list", Message: "the target cannot be seen whole: " + l.Gaps[0]}
	}
	s := Snapshot{Platform: caps.Platform, Departments: l.Departments, Accounts: l.Accounts}
	for i := range s.Departments {
		if missing := caps.DepartmentWrites &^ s.Departments[i].Set; missing == 0 {
			continue
		}
		whole, err := d.Department(ctx, s.Departments[i].ID)
		if directory.ClassOf(err) == directory.NotFound {
			continue // deleted since it was listed: what is planned on it will be refused
		}
		if err != nil {
			return Snapshot{}, err
		}
		s.Departments[i] = whole
	}
	keeper, ok := d.(directory.RoleKeeper)
	if !ok {
		return s, nil
	}
	s.KeepsRoles = true
	if s.Roles, err = keeper.Roles(ctx); err != nil {
		return s.withoutRoles(err)
	}
	for _, r := range s.Roles {
		members, err := keeper.RoleMembers(ctx, r.ID)
		if directory.ClassOf(err) == directory.NotFound {
			continue
		}
		if err != nil {
			return s.withoutRoles(err)
		}
		s.Members = append(s.Members, members...)
	}
	return s, nil
}

// withoutRoles is the rest of a target whose roles these credentials may not see.
func (s Snapshot) withoutRoles(err error) (Snapshot, error) {
	switch directory.ClassOf(err) {
	case directory.PermissionDenied, directory.NotSupported:
		s.KeepsRoles, s.Roles, s.Members = false, nil, nil
		return s, nil
	}
	return Snapshot{}, err
}
