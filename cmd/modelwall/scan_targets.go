package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"modelwall/proxy/remote"
)

// target is one file to inspect, or the reason why there is none.
type target struct {
	path   string // as it is reported; "-" is stdin
	open   func(context.Context) (*opened, error)
	remote bool
	err    error

	tree   *tree  // what it lies in, nil for a file that was named itself
	inTree string // its path there
}

// name is the hint for the scanners.
func (t target) name() string {
	if t.path == "-" {
		return ""
	}
	return t.path
}

// targets collects what the command line names.
type targets struct {
	stdin io.Reader
	hub   func() (*repositories, error)
	list  []target // in the order of their paths once add returns
	free  []func()
}

func (t *targets) close() {
	for _, f := range t.free {
		f()
	}
}

var (
	errIrregular = errors.New("not a regular file")
	errOutside   = errors.New("the symbolic link leads out of the folder and is not followed")
)

// add lists the files of the given paths. A path that is not there is a
// target with an error, like every other file that can't be examined; the
// error of add itself is wrong use.
func (t *targets) add(ctx context.Context, paths []string) error {
	stdin := false
	var hub *repositories
	for _, path := range paths {
		if strings.HasPrefix(path, remote.Scheme) {
			if hub == nil {
				var err error
				if hub, err = t.hub(); err != nil {
					return err
				}
				t.free = append(t.free, hub.close)
			}
			if err := hub.add(ctx, t, path); err != nil {
				return err
			}
			continue
		}
		switch info, err := os.Stat(path); {
		case path == "-":
			if stdin {
				return errors.New(`"-" can be given only once`)
			}
			stdin = true
			t.addStdin(ctx)
		case path == "":
			return errors.New("an empty path")
		case err != nil:
			t.list = append(t.list, target{path: path, err: err})
		case info.IsDir():
			t.addFolder(path)
		case !info.Mode().IsRegular():
			t.list = append(t.list, target{path: path, err: errIrregular})
		default:
			t.list = append(t.list, target{path: path, open: opener(func() (*os.File, error) { return os.OpenFile(path, openFlags, 0) })})
		}
	}
	slices.SortStableFunc(t.list, func(a, b target) int { return cmp.Compare(a.path, b.path) })
	t.list = slices.CompactFunc(t.list, func(a, b target) bool { return a.path == b.path })
	return nil
}

// opener makes a target's open of one that gives a file.
func opener(open func() (*os.File, error)) func(context.Context) (*opened, error) {
	return func(context.Context) (*opened, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		return openLocal(f)
	}
}

func (t *targets) addStdin(ctx context.Context) {
	name, err := spoolStdin(ctx, t.stdin)
	if err != nil {
		t.list = append(t.list, target{path: "-", err: err})
		return
	}
	t.free = append(t.free, func() { _ = os.Remove(name) })
	t.list = append(t.list, target{path: "-", open: opener(func() (*os.File, error) { return os.Open(name) })})
}

// addFolder lists the files below a folder. They are opened through an
// os.Root, which follows links inside the folder and refuses to leave it even
// if somebody swaps a link at the wrong moment.
func (t *targets) addFolder(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.list = append(t.list, target{path: dir, err: err})
		return
	}
	t.free = append(t.free, func() { _ = root.Close() })
	in := newTree()
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil: // an unreadable folder is reported, the walk goes on
			t.list = append(t.list, target{path: path, err: err})
		case entry.IsDir():
		case entry.Type()&fs.ModeSymlink != 0:
			t.addLink(root, in, name, path)
		case !entry.Type().IsRegular():
			t.list = append(t.list, target{path: path, err: errIrregular})
		default:
			t.addFile(root, in, name, path)
		}
		return nil
	})
	if err != nil {
		t.list = append(t.list, target{path: dir, err: err})
	}
}

func (t *targets) addFile(root *os.Root, in *tree, name, path string) {
	in.add(name)
	t.list = append(t.list, target{
		path: path, tree: in, inTree: name,
		open: opener(func() (*os.File, error) { return root.OpenFile(filepath.FromSlash(name), openFlags, 0) }),
	})
}

// addLink lists a symbolic link under its own name, which says more than that
// of its target in caches that keep files by hash. A link to a folder inside
// needs nothing: the walk gets there by itself.
func (t *targets) addLink(root *os.Root, in *tree, name, path string) {
	info, err := root.Stat(filepath.FromSlash(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.list = append(t.list, target{path: path, err: fmt.Errorf("broken symbolic link: %w", err)})
	case err != nil:
		t.list = append(t.list, target{path: path, err: fmt.Errorf("%w: %w", errOutside, err)})
	case info.IsDir():
	case !info.Mode().IsRegular():
		t.list = append(t.list, target{path: path, err: errIrregular})
	default:
		t.addFile(root, in, name, path)
	}
}

// spoolStdin copies stdin to a temporary file, because inspection needs random
// access, and returns its name. The caller removes it.
func spoolStdin(ctx context.Context, stdin io.Reader) (name string, err error) {
	f, err := os.CreateTemp("", "modelwall-stdin-*")
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(f, &contextReader{ctx, stdin}); err != nil {
		err = fmt.Errorf("read stdin: %w", err)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
