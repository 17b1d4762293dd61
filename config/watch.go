package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a file has to stay unchanged before it is read. Editors
// write in several steps, and a file that is read half-way may well parse.
const settle = 200 * time.Millisecond

// RestartError reports keys that changed in the file and take effect only
// after a restart. The rest of the change is in effect.
type RestartError struct{ Keys []string }

// Error implements error.
func (e *RestartError) Error() string {
	return "restart to apply the changes of " + strings.Join(e.Keys, ", ")
}

// Watch follows the file at path until ctx is done, then returns nil. Whenever
// the file holds another valid configuration, onChange gets a new snapshot in
// which the keys that can't be changed while running keep the values of
// current; onError gets a *RestartError that names those that differ. A file
// that is refused goes to onError and changes nothing. With path "" there is
// nothing to follow.
//
// The environment and the settings that current was loaded with apply to each
// snapshot again. Both functions are called one at a time, on the goroutine of
// Watch. The error is that the watch could not be set up.
func Watch(ctx context.Context, path string, current *Config, onChange func(*Config), onError func(error)) error {
	if path == "" {
		<-ctx.Done()
		return nil
	}
	w := watch{path: filepath.Clean(path), current: current, onChange: onChange, onError: onError}
	var err error
	if w.notify, err = fsnotify.NewWatcher(); err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer w.notify.Close() //nolint:errcheck // nothing is written through it
	if err := w.follow(); err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	// What was written between Load and here raised no event.
	w.reload()
	return w.run(ctx)
}

// watch is the state of one Watch call.
type watch struct {
	path     string
	target   string // what path is a symbolic link to, path itself otherwise
	notify   *fsnotify.Watcher
	current  *Config
	seen     []byte // the text that was judged last
	onChange func(*Config)
	onError  func(error)
}

// follow watches folders, not the file: a file that is replaced by rename
// takes its watch with it. The folder of the link's target counts too, and
// changes when a link on the way is swapped.
func (w *watch) follow() error {
	target, err := filepath.EvalSymlinks(w.path)
	if err != nil {
		target = w.path // being replaced at this moment
	}
	if err := w.notify.Add(filepath.Dir(w.path)); err != nil {
		return err
	}
	if dir := filepath.Dir(target); dir != filepath.Dir(w.path) {
		if err := w.notify.Add(dir); err != nil {
			return err
		}
	}
	w.target = target
	return nil
}

// concerns reports whether an event can change what path holds. Kubernetes
// swaps a link called ..data in the folder of the file.
func (w *watch) concerns(e fsnotify.Event) bool {
	name := filepath.Clean(e.Name)
	return name == w.path || name == w.target || strings.HasPrefix(filepath.Base(name), "..")
}

func (w *watch) run(ctx context.Context) error {
	timer := time.NewTimer(settle)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.notify.Events:
			if !ok {
				return errors.New("watch the configuration: the watch has ended")
			}
			if w.concerns(e) {
				timer.Reset(settle)
			}
		case err, ok := <-w.notify.Errors:
			if !ok {
				return errors.New("watch the configuration: the watch has ended")
			}
			// Events may be lost: look at the file itself.
			w.onError(fmt.Errorf("watch the configuration: %w", err))
			timer.Reset(settle)
		case <-timer.C:
			if err := w.follow(); err != nil {
				w.onError(fmt.Errorf("watch the configuration: %w", err))
			}
			w.reload()
		}
	}
}

// reload reads the file and publishes what changed.
func (w *watch) reload() {
	text, err := read(w.path)
	if err == nil && len(bytes.TrimSpace(text)) == 0 {
		// An editor that truncates before it writes, a full disk: an empty
		// file would silently mean "all defaults".
		err = errors.New("the file is empty")
	}
	if err != nil {
		w.refuse(err)
		return
	}
	if w.seen != nil && bytes.Equal(text, w.seen) {
		return
	}
	w.seen = text
	next, err := load(origin{path: w.path, settings: w.current.origin.settings}, text)
	if err != nil {
		w.refuse(err)
		return
	}
	var restart []string
	live := false
	for _, k := range changed(w.current, next) {
		if k.live {
			live = true
			continue
		}
		restart = append(restart, k.name)
		k.field(next).Set(k.field(w.current))
	}
	next.Warnings = warnings(next)
	if live {
		w.current = next
		w.onChange(next)
	}
	if len(restart) > 0 {
		w.onError(&RestartError{Keys: restart})
	}
}

func (w *watch) refuse(err error) {
	w.onError(fmt.Errorf("the configuration is refused, the one before it stays: %w", err))
}
