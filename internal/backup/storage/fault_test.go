package storage

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rollcall.dev/rollcall/internal/backup/archive"
)

const mib = 1 << 20

// noise is data that does not compress.
func noise(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), n)
}

// upload stores noise under a key, without a seal.
func upload(ctx context.Context, p *Place, key string, n int64) error {
	u, err := p.Create(ctx, key)
	if err != nil {
		return err
	}
	defer u.Abort()
	if _, err := io.Copy(u, noise(n)); err != nil {
		return err
	}
	return u.Close()
}

// wants fails the test unless err is an Error of the class, without a credential in it.
func wants(t testing.TB, err error, c Class) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Class != c {
		t.Errorf("the error is %v, want one of class %s", err, c)
		return
	}
	if strings.Contains(err.Error(), rootSecret) || strings.Contains(err.Error(), rootKey) {
		t.Errorf("the error shows a credential: %v", err)
	}
	t.Log(err)
}

var faultKey = NewKey("acme", "dt", "ding1", noon, "f")

// nothingIsLeft looks at the place as an administrator would: no file, no upload.
func nothingIsLeft(t testing.TB, p *Place) {
	t.Helper()
	left := func(o object) error { return errors.New(o.file + " is left") }
	if err := errors.Join(p.backend.list(t.Context(), "acme", left), p.backend.begun(t.Context(), "acme", left)); err != nil {
		t.Error(err)
	}
}

func TestUploadThatIsCutOffIsNoArchive(t *testing.T) {
	c, _, proxy := newBucket(t)
	p := place(t, Config{S3: &c})
	for _, passed := range []int64{0, 1000, 9 * mib, 17 * mib} {
		proxy.after(passed, -1, cut)
		wants(t, upload(t.Context(), p, faultKey, 20*mib), Unavailable)
		proxy.heal()
		if keys := listed(t, p); len(keys) != 0 {
			t.Errorf("cut after %d bytes, %q lists", passed, keys)
		}
		if err := p.Discard(t.Context(), faultKey); err != nil {
			t.Error(err)
		}
		nothingIsLeft(t, p)
	}
}

func TestUploadSurvivesOneCut(t *testing.T) {
	c, _, proxy := newBucket(t)
	p := place(t, Config{S3: &c})
	harmed := proxy.after(9*mib, -1, cut)
	go func() {
		<-harmed
		proxy.heal()
	}()
	if err := upload(t.Context(), p, faultKey, 20*mib); err != nil {
		t.Error(err)
	}
}

func TestStalledUploadEnds(t *testing.T) {
	c, _, proxy := newBucket(t)
	c.Stall = 300 * time.Millisecond
	p := place(t, Config{S3: &c})
	proxy.after(9*mib, -1, stall)
	wants(t, upload(t.Context(), p, faultKey, 20*mib), Unavailable)
}

func TestReadThatIsCutGoesOnWhereItWas(t *testing.T) {
	c, _, proxy := newBucket(t)
	p := place(t, Config{S3: &c})
	store(t, p, faultKey, 4000)
	harmed := proxy.after(-1, 100_000, cut)
	go func() {
		<-harmed
		proxy.heal()
	}()
	if err := verify(t, p, faultKey); err != nil {
		t.Error(err)
	}
	select {
	case <-harmed:
	default:
		t.Error("nothing was cut: the archive is too small")
	}
}

func TestReadThatStaysCutOrStallsIsNoDamage(t *testing.T) {
	for name, what := range map[string]harm{"cut": cut, "stall": stall} {
		t.Run(name, func(t *testing.T) {
			c, _, proxy := newBucket(t)
			c.Stall = 300 * time.Millisecond
			p := place(t, Config{S3: &c})
			store(t, p, faultKey, 4000)
			proxy.after(-1, 100_000, what)
			wants(t, verify(t, p, faultKey), Unavailable)
		})
	}
}

func TestSlowReadIsPatientlyRead(t *testing.T) {
	c, _, proxy := newBucket(t)
	c.Stall = 300 * time.Millisecond
	p := place(t, Config{S3: &c})
	if err := upload(t.Context(), p, faultKey, mib); err != nil {
		t.Fatal(err)
	}
	proxy.after(-1, 1000, slow)
	start := time.Now()
	r, err := p.Read(t.Context(), faultKey)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close()); err != nil || n != mib {
		t.Errorf("%d bytes were read: %v", n, err)
	}
	if time.Since(start) < c.Stall {
		t.Error("it was not slow")
	}
}

func TestBucketThatIsGoneIsNotAnEmptyOne(t *testing.T) {
	c, g, _ := newBucket(t)
	p := place(t, Config{S3: &c})
	store(t, p, faultKey, 3)
	if err := os.RemoveAll(filepath.Join(g.dir, c.Bucket)); err != nil {
		t.Fatal(err)
	}
	_, err := p.List(t.Context(), "acme")
	wants(t, err, NotFound)
	_, err = p.Probe(t.Context(), "acme", "u")
	wants(t, err, NotFound)
	_, err = p.Claim(t.Context(), "acme", "u", noon, time.Hour)
	wants(t, err, NotFound)
	wants(t, verify(t, p, faultKey), NotFound)
	wants(t, upload(t.Context(), p, faultKey, 20*mib), NotFound)
}

func TestFolderThatIsGoneIsNotAnEmptyOne(t *testing.T) {
	root := t.TempDir()
	p := place(t, Config{Local: &Local{Root: root, Folder: "acme"}})
	store(t, p, faultKey, 3)
	if err := os.RemoveAll(filepath.Join(root, "acme")); err != nil {
		t.Fatal(err)
	}
	_, err := p.List(t.Context(), "acme")
	wants(t, err, NotFound)
	_, err = p.Held(t.Context(), faultKey)
	wants(t, err, NotFound)
	_, err = p.Probe(t.Context(), "acme", "u")
	wants(t, err, NotFound)
	wants(t, upload(t.Context(), p, faultKey, mib), NotFound)
	_, err = Open(t.Context(), Config{Local: &Local{Root: filepath.Join(root, "unmounted"), Folder: "acme"}})
	wants(t, err, NotFound)
}

func TestWrongCredentialsAreDenied(t *testing.T) {
	c, _, _ := newBucket(t)
	for name, wrong := range map[string]func(*S3){
		"secret": func(c *S3) { c.SecretAccessKey = "wrong" },
		"key":    func(c *S3) { c.AccessKeyID = "nobody" },
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			wrong(&c)
			p := place(t, Config{S3: &c})
			_, err := p.Probe(t.Context(), "acme", "u")
			wants(t, err, Denied)
			_, err = p.List(t.Context(), "acme")
			wants(t, err, Denied)
			_, err = p.Held(t.Context(), faultKey)
			wants(t, err, Denied)
		})
	}
}

func TestPermissionThatIsLostIsDenied(t *testing.T) {
	c, _, proxy := newBucket(t)
	admin := func(args ...string) {
		t.Helper()
		full := append([]string{"admin", "--endpoint-url", proxy.url(), "--access", rootKey, "--secret", rootSecret}, args...)
		if out, err := exec.CommandContext(t.Context(), tool("versitygw"), full...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args[0], err, out)
		}
	}
	user := c
	user.AccessKeyID, user.SecretAccessKey = "rollcalltestuser", "not-a-secret-either"
	admin("create-user", "--access", user.AccessKeyID, "--secret", user.SecretAccessKey, "--role", "user")
	admin("change-bucket-owner", "--bucket", c.Bucket, "--owner", user.AccessKeyID)
	p := place(t, Config{S3: &user})
	store(t, p, faultKey, 3)

	admin("change-bucket-owner", "--bucket", c.Bucket, "--owner", rootKey)
	wants(t, verify(t, p, faultKey), Denied)
	wants(t, upload(t.Context(), p, NewKey("acme", "dt", "ding1", noon, "g"), 20*mib), Denied)
	_, err := p.Probe(t.Context(), "acme", "u")
	wants(t, err, Denied)
	admin("delete-user", "--access", user.AccessKeyID)
	_, err = p.List(t.Context(), "acme")
	wants(t, err, Denied)
}

func TestFullDiskOfTheServerIsFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	g, err := startGateway(dir, 12*mib)
	if err != nil {
		t.Fatal(err)
	}
	defer g.stop()
	c := bucketOn(t, newProxy(t, g.socket))
	p := place(t, Config{S3: &c})
	store(t, p, faultKey, 10)
	key := NewKey("acme", "dt", "ding1", noon, "g")
	wants(t, upload(t.Context(), p, key, 40*mib), Full)
	if keys := listed(t, p); len(keys) != 1 {
		t.Errorf("%q list", keys)
	}
	if err := errors.Join(verify(t, p, faultKey), p.Discard(t.Context(), key)); err != nil {
		t.Error(err)
	}
	// What was thrown away makes room again.
	if err := upload(t.Context(), p, key, 4*mib); err != nil {
		t.Error(err)
	}
}

func TestFullVolumeIsFull(t *testing.T) {
	p := place(t, Config{Local: &Local{Root: smallVolume(t, 4*mib), Folder: "acme"}})
	store(t, p, faultKey, 10)
	key := NewKey("acme", "dt", "ding1", noon, "g")
	wants(t, upload(t.Context(), p, key, 20*mib), Full)
	if keys := listed(t, p); len(keys) != 1 {
		t.Errorf("%q list", keys)
	}
	if err := errors.Join(verify(t, p, faultKey), upload(t.Context(), p, key, 2*mib)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(p.Discard(t.Context(), key), p.Delete(t.Context(), faultKey)); err != nil {
		t.Error(err)
	}
	nothingIsLeft(t, p)
}

func TestFileThatIsTooBigForTheVolumeIsFull(t *testing.T) {
	_, out := spawn(t, job{Config: Config{Local: &Local{Root: t.TempDir(), Folder: "acme"}}, People: 4000, MaxFile: 64 << 10})
	for out.Scan() {
		if strings.HasPrefix(out.Text(), "error ") {
			if !strings.HasPrefix(out.Text(), "error "+string(Full)) {
				t.Error(out.Text())
			}
			return
		}
	}
	t.Error("an archive bigger than files may be was written")
}

func TestPlaceObeysItsContext(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		store(t, p, faultKey, 3)
		ctx, cancel := context.WithCancel(t.Context())
		u, err := p.Create(ctx, NewKey("acme", "dt", "ding1", noon, "g"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Read(ctx, faultKey)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := u.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		cancel()
		if err := u.Close(); !errors.Is(err, context.Canceled) {
			t.Errorf("closing the upload: %v", err)
		}
		_, list := p.List(ctx, "acme")
		_, probe := p.Probe(ctx, "acme", "u")
		_, claim := p.Claim(ctx, "acme", "u", noon, time.Hour)
		for op, err := range map[string]error{
			"list": list, "probe": probe, "claim": claim, "delete": p.Delete(ctx, faultKey), "copy": p.Copy(ctx, p, faultKey),
		} {
			if !errors.Is(err, context.Canceled) || ClassOf(err) != Unavailable {
				t.Errorf("%s: %v", op, err)
			}
		}
		if keys := listed(t, p); len(keys) != 1 {
			t.Errorf("%q list", keys)
		}
	})
}

// A bucket may do later what was on its way to it when the upload was aborted; that is seldom, and dropped with the archive.
func TestAbortLeavesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, p *Place) {
		for _, n := range []int64{0, 10, 20 * mib, 20 * mib, 20 * mib} {
			u, err := p.Create(t.Context(), faultKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(u, noise(n)); err != nil {
				t.Error(err)
			}
			u.Abort()
			u.Abort()
		}
		late := 0
		count := func(object) error { late++; return nil }
		if err := p.backend.begun(t.Context(), "acme", count); err != nil || late > 1 {
			t.Errorf("%d uploads are left: %v", late, err)
		}
		if err := p.Discard(t.Context(), faultKey); err != nil {
			t.Error(err)
		}
		nothingIsLeft(t, p)
	})
}

// A service that has no conditional writes (Aliyun's and Tencent's S3 dialects may not)
// still takes a seal, and no second one.
func TestSealWithoutConditionalWrites(t *testing.T) {
	p := newVolumePlace(t)
	p.backend = unconditional{p.backend}
	seal := store(t, p, faultKey, 3)
	if err := p.Seal(t.Context(), faultKey, seal); err != nil {
		t.Error(err)
	}
	s, err := archive.ParseSeal(seal)
	if err != nil {
		t.Fatal(err)
	}
	s.Manifest.Tool = "another"
	wants(t, p.Seal(t.Context(), faultKey, s.Encode()), Invalid)
}

type unconditional struct{ backend }

func (u unconditional) create(ctx context.Context, file string, fresh bool) (pending, error) {
	if fresh {
		return nil, errNotImplemented
	}
	return u.backend.create(ctx, file, fresh)
}

// The memory of an upload is its parts, however big the archive.
func TestMemoryOfAnUploadIsBounded(t *testing.T) {
	const size, bound = 160 * mib, 64 * mib
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	heap := func() int64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return int64(s[0].Value.Uint64())
	}
	eachKind(t, func(t *testing.T, p *Place) {
		runtime.GC()
		before, most := heap(), int64(0)
		u, err := p.Create(t.Context(), faultKey)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Abort()
		for range size / mib {
			if _, err := io.CopyN(u, noise(mib), mib); err != nil {
				t.Fatal(err)
			}
			most = max(most, heap())
		}
		if err := u.Close(); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d MiB were stored with a heap that grew by %d MiB", size>>20, (most-before)>>20)
		if most-before > bound {
			t.Errorf("the heap grew by %d bytes; %d are allowed", most-before, bound)
		}
	})
}

func TestBucketOfAnotherOwnerIsReachedByHostName(t *testing.T) {
	b, err := openBucket(t.Context(), S3{Bucket: "acme", Endpoint: "https://oss.example.invalid", AccessKeyID: "k", SecretAccessKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s3.NewPresignClient(b.client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("acme"), Key: aws.String("k")})
	if err != nil || !strings.HasPrefix(r.URL, "https://acme.oss.example.invalid/k?") {
		t.Errorf("the address is %v, %v", r, err)
	}
}
