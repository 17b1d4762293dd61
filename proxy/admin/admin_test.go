package admin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHandler(t *testing.T) {
	var broken error
	h := Handler(Options{Ready: func(context.Context) error { return broken }})
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	check := func(path string, status int, body string) {
		t.Helper()
		if s, b := get(path); s != status || b != body {
			t.Errorf("GET %s = %d %q, want %d %q", path, s, b, status, body)
		}
	}
	check("/healthz", 200, "ok\n")
	check("/readyz", 200, "ready\n")
	broken = errors.New("database is gone")
	check("/healthz", 200, "ok\n")
	check("/readyz", 503, "database is gone\n")
	if s, _ := get("/"); s != 404 {
		t.Errorf("GET / = %d, want 404", s)
	}
}
