package data

import (
	"context"

	"modelwall/scan"
)

func matchUnsupported(p scan.Probe) bool {
	_, ok := carrier(p.Head)
	return ok
}

func scanUnsupported(_ context.Context, in *input) error {
	head, err := in.head(scan.HeadSize)
	if err != nil {
		return err
	}
	what, ok := carrier(head)
	if !ok {
		return foreign(0, "no known signature")
	}
	in.finding("data.unsupported", scan.Low, "unsupported-format", 0, what+" can carry code and is not examined yet")
	return scan.Limit(0, "no scanner for %s yet", what)
}

// matchOpaque: bytes that no other scanner certainly claims.
func matchOpaque(p scan.Probe) bool { return p.Size > 0 && !owned(p.Head) }

func scanOpaque(ctx context.Context, in *input) error {
	head, err := in.head(scan.HeadSize)
	if err != nil {
		return err
	}
	if looksText(scan.Probe{Size: in.Size, Head: head}) {
		text, err := in.isText(ctx)
		if err != nil {
			return err
		}
		if text {
			return foreign(0, "text")
		}
	}
	return nil
}
