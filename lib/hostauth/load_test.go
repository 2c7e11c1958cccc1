package hostauth_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"bottle/lib/hostauth"
	"bottle/lib/secret"
)

func write(t *testing.T, path string, mode fs.FileMode, data []byte) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, data, 0o600))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func TestLoadCodex(t *testing.T) {
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "good.json"), 0o600, login.JSON())
	for _, path := range []string{good, write(t, filepath.Join(dir, "read-only.json"), 0o400, login.JSON())} {
		c, err := hostauth.LoadCodex(path)
		require.NoError(t, err)
		require.Equal(t, login.AccessToken(), c.AccessToken.Expose())
		err = c.CheckExpiry(c.Expiry, 0)
		require.ErrorContains(t, err, "read "+path+": access token has expired")
	}
}

func TestLoadCodexRefusesFiles(t *testing.T) {
	dir := t.TempDir()
	good := write(t, filepath.Join(dir, "good.json"), 0o600, login.JSON())
	link := filepath.Join(dir, "link.json")
	require.NoError(t, os.Symlink(good, link))
	dangling := filepath.Join(dir, "dangling.json")
	require.NoError(t, os.Symlink(filepath.Join(dir, "nothing"), dangling))
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))

	for _, tc := range []struct {
		path string
		want error
		text string
	}{
		{filepath.Join(dir, "missing.json"), hostauth.ErrNoLogin, "no Codex login found"},
		{filepath.Join(dir, "no", "folder.json"), hostauth.ErrNoLogin, "no Codex login found"},
		{link, hostauth.ErrSymlink, "is a symbolic link"},
		{dangling, hostauth.ErrSymlink, "is a symbolic link"},
		{fifo, hostauth.ErrNotRegular, "is not a regular file"},
		{dir, hostauth.ErrNotRegular, "is not a regular file"},
		{write(t, filepath.Join(dir, "group.json"), 0o640, login.JSON()), hostauth.ErrOthersMayRead, "mode 0640 lets others at it"},
		{write(t, filepath.Join(dir, "world.json"), 0o604, login.JSON()), hostauth.ErrOthersMayRead, "mode 0604 lets others at it"},
		{write(t, filepath.Join(dir, "large.json"), 0o600, make([]byte, hostauth.MaxSize+1)), hostauth.ErrTooLarge, "is 1048577 bytes, more than the 1048576 allowed"},
		{filepath.Join(good, "below.json"), hostauth.ErrUnreadable, "cannot be opened: not a directory"},
		{write(t, filepath.Join(dir, "text.json"), 0o600, []byte("hello")), hostauth.ErrNotJSON, "not a JSON object"},
	} {
		t.Run(filepath.Base(tc.path), func(t *testing.T) {
			_, err := hostauth.LoadCodex(tc.path)
			require.ErrorIs(t, err, tc.want)
			require.Equal(t, "read "+tc.path+": "+tc.text, err.Error())
			var e *hostauth.Error
			require.ErrorAs(t, err, &e)
			require.NotEmpty(t, e.HintText())
			for _, other := range problems {
				if other != tc.want {
					require.NotErrorIs(t, err, other)
				}
			}
			if tc.want != hostauth.ErrNotJSON {
				var fe *secret.FileError
				require.ErrorAs(t, err, &fe)
			}
		})
	}
}

func TestLoadCodexOfAnotherUsersFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read every file")
	}
	_, err := hostauth.LoadCodex(write(t, filepath.Join(t.TempDir(), "a.json"), 0o000, login.JSON()))
	require.ErrorIs(t, err, hostauth.ErrUnreadable)
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestCodexPath(t *testing.T) {
	dir := t.TempDir()
	home, codex := filepath.Join(dir, "home"), filepath.Join(dir, "codex")
	inHome, inCodex := filepath.Join(home, ".codex", "auth.json"), filepath.Join(codex, "auth.json")
	find := func(codexHome, home string) (string, error) {
		return hostauth.CodexPath(func(name string) string {
			return map[string]string{"CODEX_HOME": codexHome, "HOME": home}[name]
		})
	}

	_, err := find("", "")
	require.ErrorIs(t, err, hostauth.ErrNoLogin)
	_, err = find(codex, home)
	require.ErrorIs(t, err, hostauth.ErrNoLogin)
	require.EqualError(t, err, "read "+inCodex+", "+inHome+": no Codex login found")

	write(t, inHome, 0o600, login.JSON())
	for _, codexHome := range []string{"", codex} {
		path, err := find(codexHome, home)
		require.NoError(t, err)
		require.Equal(t, inHome, path)
	}
	// One that is there and cannot be used is not passed over.
	require.NoError(t, os.Mkdir(codex, 0o700))
	require.NoError(t, os.Symlink("nowhere", inCodex))
	path, err := find(codex, home)
	require.NoError(t, err)
	require.Equal(t, inCodex, path)
	_, err = hostauth.LoadCodex(path)
	require.ErrorIs(t, err, hostauth.ErrSymlink)
}
