package main

import (
	"context"
	"errors"
	"time"

	"modelwall/proxy/fetch"
	"modelwall/proxy/metadata"
	"modelwall/proxy/policy"
	"modelwall/proxy/store"
)

// tidyEvery is how long the store may be over its bounds.
const tidyEvery = time.Minute

// partAge is how long an unfinished download waits for somebody to go on with
// it. Together they take a tenth of what the cache may at most.
const partAge = 24 * time.Hour

// tidy keeps the store within its bounds until ctx ends.
func (p *proxyInstance) tidy(ctx context.Context, s *store.Store, parts *fetch.Parts) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		bounds := p.cfg.Load().Store
		var forgotten int64
		freed, err := parts.Trim(time.Now().Add(-partAge), int64(bounds.MaxBytes/10))
		if bounds.MaxBytes > 0 {
			evicted, evictErr := s.Blobs().Evict(ctx, int64(bounds.MaxBytes), func(repo string) bool { return policy.Match(bounds.Pinned, repo) })
			freed, err = freed+evicted, errors.Join(err, evictErr)
		}
		if bounds.Downloads > 0 {
			var pruneErr error
			forgotten, pruneErr = s.PruneDownloads(ctx, time.Now().Add(-bounds.Downloads))
			err = errors.Join(err, pruneErr)
		}
		if _, pruneErr := s.PruneAnswers(ctx, time.Now().Add(-metadata.MaxAge)); pruneErr != nil {
			err = errors.Join(err, pruneErr)
		}
		if freed > 0 || forgotten > 0 {
			p.log.Info("tidied up", "bytes_freed", freed, "records_forgotten", forgotten)
		}
		if err != nil && ctx.Err() == nil {
			p.log.Error("tidying up failed", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
