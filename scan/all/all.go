// Package all is the one list of the scanners that Modelwall runs.
package all

import "modelwall/scan"

// Scanners returns every scanner, in the order in which the engine asks them.
func Scanners() []scan.Scanner {
	return []scan.Scanner{}
}
