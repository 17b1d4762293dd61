// Package all is the one list of the scanners that Modelwall runs.
package all

import (
	"slices"

	"modelwall/scan"
	"modelwall/scan/compress"
	"modelwall/scan/data"
	"modelwall/scan/gitpack"
	"modelwall/scan/pickle"
	"modelwall/scan/sevenzip"
	"modelwall/scan/tar"
	"modelwall/scan/zip"
)

// Scanners returns every scanner, in the order in which the engine asks them:
// containers first, so that their formats lead a report, what executes next,
// what is known not to execute last.
func Scanners() []scan.Scanner {
	return slices.Concat(
		[]scan.Scanner{zip.New(), sevenzip.New(), tar.New()},
		compress.New(),
		[]scan.Scanner{gitpack.New(), pickle.New()},
		data.New(),
	)
}
