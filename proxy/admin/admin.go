// Package admin serves what operators and their monitors ask, on a listener of
// its own that is bound to loopback unless configured otherwise. It holds no
// secrets and changes nothing.
package admin

import (
	"context"
	"net/http"
	"time"
)

// Options configure the handler.
type Options struct {
	// Ready returns why the proxy can not do its work, nil if it can. It is
	// asked for every /readyz.
	Ready func(ctx context.Context) error
}

// readyTimeout bounds one answer to /readyz.
const readyTimeout = 2 * time.Second

// Handler returns the routes: /healthz says that the process answers, /readyz
// that it can serve (503 and the reason if not).
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := o.Ready(ctx); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error()+"\n")
			return
		}
		text(w, http.StatusOK, "ready\n")
	})
	return mux
}

func text(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write([]byte(body))
}
