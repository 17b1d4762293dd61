package main

import (
	"context"
	"errors"
	"time"

	"modelwall/proxy/store"
)

// tidyEvery is how long the store may be over its bounds.
const tidyEvery = time.Minute

// tidy keeps the store within its bounds until ctx ends.
func (p *proxyInstance) tidy(ctx context.Context, s *store.Store) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		bounds := p.cfg.Load().Store
		var freed, forgotten int64
		var err error
		if bounds.MaxBytes > 0 {
			freed, err = s.Blobs().Evict(ctx, int64(bounds.MaxBytes))
		}
		if bounds.Downloads > 0 {
			var pruneErr error
			forgotten, pruneErr = s.PruneDownloads(ctx, time.Now().Add(-bounds.Downloads))
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
