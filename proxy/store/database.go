package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID marks a database as ours (PRAGMA application_id): "MWal".
const applicationID = 0x4D57616C

const (
	readers       = 4
	busyTimeoutMS = 10_000
)

// database is the records' file: one connection that writes, a few that read.
// SQLite lets one connection write at a time anyway; waiting for it in Go
// wakes up at once, where SQLite polls.
type database struct {
	path  string
	write *sql.DB
	read  *sql.DB
	// The queries on every request's way.
	verdict, release, content, alias *sql.Stmt
	group                            *group
}

func openDatabase(root *os.Root, path string) (_ *database, err error) {
	// SQLite would make the file readable for everybody; the files beside it
	// get its mode.
	f, err := root.OpenFile(filepath.Base(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, explain("open the records", path, err)
	}
	if err := f.Close(); err != nil {
		return nil, explain("open the records", path, err)
	}
	d := &database{path: path, group: newGroup()}
	defer func() {
		if err != nil {
			err = errors.Join(explain("open the records", path, err), d.close())
		}
	}()
	if d.write, err = connect(path, 1, "_txlock=immediate"); err != nil {
		return nil, err
	}
	migrations, err := loadMigrations(migrationFiles)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	if err := d.migrate(ctx, migrations); err != nil {
		return nil, err
	}
	if d.read, err = connect(path, readers, "_query_only=1"); err != nil {
		return nil, err
	}
	for _, q := range []struct {
		stmt **sql.Stmt
		text string
	}{{&d.verdict, selectVerdict}, {&d.release, selectRelease}, {&d.content, selectContent}, {&d.alias, selectAlias}} {
		if *q.stmt, err = d.read.PrepareContext(ctx, q.text); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// connect returns a pool of at most n connections to the file at path, which
// may hold any character.
func connect(path string, n int, option string) (*sql.DB, error) {
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	u := url.URL{Scheme: "file", Path: name}
	dsn := u.String() + fmt.Sprintf("?_busy_timeout=%d&_synchronous=FULL&_foreign_keys=1&_defensive=1&_dqs=0&_error_rc=1"+
		"&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)&%s", busyTimeoutMS, option)
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

func (d *database) close() error {
	var errs []error
	for _, stmt := range [...]*sql.Stmt{d.verdict, d.release, d.content, d.alias} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if d.read != nil {
		errs = append(errs, d.read.Close())
	}
	if d.write != nil { // last: it folds the log into the file
		errs = append(errs, d.write.Close())
	}
	return errors.Join(errs...)
}

// loadMigrations returns the statements that lead from each schema version to
// the next: the first makes version 1 of an empty database.
func loadMigrations(files fs.FS) ([]string, error) {
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	steps := make([]string, len(names))
	for i, name := range names {
		if !strings.HasPrefix(name, fmt.Sprintf("migrations/%04d_", i+1)) {
			return nil, fmt.Errorf("migration %s is not number %d", name, i+1)
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps[i] = string(b)
	}
	return steps, nil
}

// migrate brings the database to the version that is len(steps), each step
// with its version number in one transaction. It touches nothing in a database
// that is newer or not ours.
func (d *database) migrate(ctx context.Context, steps []string) error {
	version, err := d.version(ctx, d.write)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return classified("open the records", d.path, ErrNewer, fmt.Errorf("its schema is version %d, this program knows %d", version, len(steps)))
	}
	var mode string
	if err := d.write.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("open the records: %s: no write-ahead log on this file system (journal mode %q); set data_dir to a directory on a local disk", d.path, mode)
	}
	for ; version < len(steps); version++ {
		if err := d.step(ctx, version, steps[version]); err != nil {
			return fmt.Errorf("bring the records to schema version %d: %w", version+1, err)
		}
	}
	return nil
}

func (d *database) step(ctx context.Context, from int, statements string) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if now, err := d.version(ctx, tx); err != nil || now > from {
		return err // nothing left to do: another process was here
	}
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, from+1)); err != nil {
		return err
	}
	return tx.Commit()
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// version returns the schema version, 0 for an empty database.
func (d *database) version(ctx context.Context, q querier) (int, error) {
	var version, id, objects int
	err := q.QueryRowContext(ctx, "SELECT user_version, application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_user_version, pragma_application_id").Scan(&version, &id, &objects)
	if err != nil {
		return 0, err
	}
	if id != applicationID && (id != 0 || version != 0 || objects != 0) || id == applicationID && version < 1 {
		return 0, classified("open the records", d.path, ErrCorrupt, errors.New("this is the database of another program"))
	}
	return version, nil
}

func (d *database) explain(op string, err error) error { return explain(op, d.path, err) }

// exec runs one writing statement, and returns when it is on the disk.
func (d *database) exec(ctx context.Context, op, query string, args ...any) (int64, error) {
	w := &statement{query: query, args: args, done: make(chan struct{})}
	d.commit(ctx, w)
	return w.n, d.explain(op, w.err)
}

// transact runs do under the write lock and commits what it did unless it
// fails. Only waiting for this process's turn can be interrupted, and do gets
// a context of its own: it may have changed files.
func (d *database) transact(ctx context.Context, op string, do func(context.Context, *sql.Tx) error) error {
	conn, err := d.write.Conn(ctx)
	if err != nil {
		return d.explain(op, err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	ctx = context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return d.explain(op, err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := do(ctx, tx); err != nil {
		return d.explain(op, err)
	}
	return d.explain(op, tx.Commit())
}
