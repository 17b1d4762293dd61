package config

import "strings"

// nearest returns the candidate that name is most likely meant to be, "" if
// none is close. A candidate whose last part is name itself wins: that is a
// key in the wrong section.
func nearest(name string, candidates []string) string {
	for _, c := range candidates {
		if strings.HasSuffix(c, "."+name[strings.LastIndex(name, ".")+1:]) {
			return c
		}
	}
	best, distance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		if d := edits(name, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
