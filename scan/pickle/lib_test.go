package pickle

import "testing"

func TestTables(t *testing.T) {
	if _, err := loadLibrary(); err != nil {
		t.Fatal(err)
	}
}
