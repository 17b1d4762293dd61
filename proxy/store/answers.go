package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Answer is what the Hub answered to a question, for when it can not be asked.
type Answer struct {
	Key    string // 64 hex digits: of the question and of who asked
	Repo   string
	Status int
	Header http.Header
	Body   []byte
	Length int64 // Content-Length, -1 if there was none
	At     time.Time
}

// PutAnswers keeps answers, each in the place of an older one with its key.
func (s *Store) PutAnswers(ctx context.Context, answers []Answer) error {
	const op = "keep the Hub's answers"
	return s.db.transact(ctx, op, func(ctx context.Context, tx *sql.Tx) error {
		for _, a := range answers {
			if !hexHash(a.Key, 64) {
				return fmt.Errorf("a key of %d bytes", len(a.Key))
			}
			header, err := json.Marshal(a.Header)
			if err != nil {
				return err
			}
			body := a.Body
			if body == nil {
				body = []byte{}
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO answers (key, repo, status, header, body, length, at) VALUES (?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT (key) DO UPDATE SET repo = excluded.repo, status = excluded.status, header = excluded.header,
					body = excluded.body, length = excluded.length, at = excluded.at`,
				a.Key, bound(a.Repo), a.Status, string(header), body, a.Length, micros(a.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Answer returns the answer with this key, or false.
func (s *Store) Answer(ctx context.Context, key string) (Answer, bool, error) {
	const op = "look up an answer of the Hub"
	a := Answer{Key: key}
	var header string
	var at int64
	err := s.db.read.QueryRowContext(ctx, "SELECT repo, status, header, body, length, at FROM answers WHERE key = ?", key).
		Scan(&a.Repo, &a.Status, &header, &a.Body, &a.Length, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Answer{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(header), &a.Header)
	}
	if err != nil {
		return Answer{}, false, s.db.explain(op, err)
	}
	a.At = fromMicros(at)
	return a, true, nil
}

// PruneAnswers forgets what the Hub answered before then, and returns how many
// answers that were.
func (s *Store) PruneAnswers(ctx context.Context, then time.Time) (int64, error) {
	return s.db.exec(ctx, "forget old answers of the Hub", "DELETE FROM answers WHERE at < ?", micros(then))
}

// Secret returns the random key of 32 bytes that this data directory has under
// a name, and makes it the first time.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	const op = "look up a key of this data directory"
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	if _, err := s.db.exec(ctx, op, "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, fresh); err != nil {
		return nil, err
	}
	var key []byte
	err := s.db.read.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = ?", name).Scan(&key)
	return key, s.db.explain(op, err)
}
