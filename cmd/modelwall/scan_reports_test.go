package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"

	"modelwall/scan"
)

// sampleReport has each kind of outcome.
func sampleReport() scanReport {
	return scanReport{Version: 1, Files: []scanResult{
		{
			Path: "models/bad 1.bin", Size: 9, SHA256: hash64, Formats: []string{"pickle"}, Verdict: scan.Malicious,
			Findings: []scan.Finding{
				{Rule: "pickle.call", Severity: scan.SeverityMalicious, Message: "calls \x1b[31m", Member: "in\nner", Offset: 7, Technique: "code-execution"},
				{Rule: "name.mismatch", Severity: scan.Low, Message: "odd", Technique: "misleading-name"},
			},
		},
		{Path: "hf://org/name/a b.json", Formats: []string{"text", "json"}, Verdict: scan.Clean, Commit: strings.Repeat("a", 40)},
		{Path: "/abs/unknown", Formats: []string{}, Error: "no known format"},
	}}
}

func TestSARIF(t *testing.T) {
	log := sarifLog(sampleReport())
	text, err := json.Marshal(log)
	check(t, err)
	var generic struct {
		Version string
		Schema  string `json:"$schema"`
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID              string
				RuleIndex           int
				Level               string
				Message             struct{ Text string }
				PartialFingerprints map[string]string
				Locations           []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	check(t, json.Unmarshal(text, &generic))
	if generic.Version != "2.1.0" || len(generic.Runs) != 1 || !strings.HasSuffix(generic.Schema, "sarif-schema-2.1.0.json") {
		t.Fatalf("%s", text)
	}
	var got []string
	seen := map[string]bool{}
	for _, r := range generic.Runs[0].Results {
		place := r.Locations[0].PhysicalLocation
		got = append(got, strings.Join([]string{r.Level, r.RuleID, place.ArtifactLocation.URI, r.Message.Text}, " | "))
		if generic.Runs[0].Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || place.Region.StartLine != 1 {
			t.Errorf("%+v", r)
		}
		print := r.PartialFingerprints["modelwall/v1"]
		if len(print) != 32 || seen[print] {
			t.Errorf("fingerprint %q", print)
		}
		seen[print] = true
	}
	want := []string{
		`error | pickle.call | models/bad%201.bin | calls \x1b[31m`,
		`warning | name.mismatch | models/bad%201.bin | odd`,
		`error | undetermined | file:///abs/unknown | could not be examined: no known format`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got := uri("hf://org/name@refs/a b.json"); got != "hf://org/name@refs/a%20b.json" {
		t.Errorf("uri = %s", got)
	}
	// Lists are there even when they are empty: without them it is no run.
	text, err = json.Marshal(sarifLog(scanReport{}))
	if err != nil || !strings.Contains(string(text), `"results":[]`) || !strings.Contains(string(text), `"rules":[]`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestCycloneDX(t *testing.T) {
	var out bytes.Buffer
	check(t, writeCycloneDX(&out, sampleReport()))
	var b cdx.BOM
	check(t, cdx.NewBOMDecoder(&out, cdx.BOMFileFormatJSON).Decode(&b))
	if b.SpecVersion != cdx.SpecVersion1_6 || b.BOMFormat != "CycloneDX" || !strings.HasPrefix(b.SerialNumber, "urn:uuid:") {
		t.Errorf("%v %s %s", b.SpecVersion, b.BOMFormat, b.SerialNumber)
	}
	var got []string
	refs := map[string]bool{}
	for _, c := range *b.Components {
		refs[c.BOMRef] = true
		hashes := "none"
		if c.Hashes != nil {
			hashes = string((*c.Hashes)[0].Algorithm) + " " + (*c.Hashes)[0].Value
		}
		got = append(got, strings.Join([]string{string(c.Type), c.Name, hashes, (*c.Properties)[0].Value}, " | "))
	}
	for _, v := range *b.Vulnerabilities {
		if !refs[(*v.Affects)[0].Ref] {
			t.Errorf("%s affects nothing", v.BOMRef)
		}
		got = append(got, strings.Join([]string{v.ID, string((*v.Ratings)[0].Severity), v.Description, (*v.Affects)[0].Ref}, " | "))
	}
	want := []string{
		"machine-learning-model | models/bad 1.bin | SHA-256 " + hash64 + " | malicious",
		"file | hf://org/name/a b.json | none | clean",
		"file | /abs/unknown | none | undetermined",
		`pickle.call | critical | calls \x1b[31m | file-0`,
		"name.mismatch | low | odd | file-0",
		"undetermined | high | could not be examined: no known format | file-2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
