package mitm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// makePrivateDir makes dir for its owner alone. One that exists may be
// readable by others (the key file has a mode of its own) but not writable:
// who can write to it can exchange the key.
func makePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("mitm: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("mitm: %w", err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o022 != 0 {
		return unusable("others may write to the folder %s (mode %04o) and exchange the key: `chmod go-w` it", dir, mode)
	}
	return nil
}

// createFile puts data at path unless there is a file already, and reports
// whether it did. The file appears whole or not at all, on disk before it has
// its name. link is os.Link, which unlike a rename never replaces.
func createFile(path string, data []byte, mode fs.FileMode, link func(oldname, newname string) error) (bool, error) {
	temp, err := writeTemp(path, data, mode)
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(temp) }()
	err = link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links (FAT, some network shares). Here
		// a crash can leave a part of the file; loading it reports it damaged.
		err = createInPlace(path, data, mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("mitm: make %s: %w", path, err)
	}
	return true, syncDir(filepath.Dir(path))
}

func createInPlace(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// replaceFile puts data at path, whatever was there; readers see the old or
// the new content.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	temp, err := writeTemp(path, data, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("mitm: %w", err), os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp makes a file beside path and returns its name. Until it is whole
// it is its owner's alone.
func writeTemp(path string, data []byte, mode fs.FileMode) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*")
	if err != nil {
		return "", fmt.Errorf("mitm: %w", err)
	}
	_, err = f.Write(data)
	if err == nil && runtime.GOOS != "windows" {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("mitm: write %s: %w", f.Name(), err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncDir makes a new name in dir survive a power cut. Windows can not do that
// with a folder, and does not need it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("mitm: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("mitm: sync %s: %w", dir, err)
	}
	return nil
}
