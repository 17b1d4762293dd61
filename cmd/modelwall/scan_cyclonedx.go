package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"

	"modelwall/scan"
)

// writeCycloneDX prints a bill of materials in CycloneDX 1.6 (ECMA-424), as
// JSON: each file is a component, each finding a vulnerability that affects it.
func writeCycloneDX(w io.Writer, r scanReport) error {
	e := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON)
	e.SetPretty(true)
	e.SetEscapeHTML(false)
	return e.EncodeVersion(bill(r), cdx.SpecVersion1_6)
}

// bill makes the bill of a report.
func bill(r scanReport) *cdx.BOM {
	components := make([]cdx.Component, 0, len(r.Files))
	vulnerabilities := []cdx.Vulnerability{}
	for i, f := range r.Files {
		ref := "file-" + strconv.Itoa(i)
		c := cdx.Component{
			BOMRef: ref, Type: componentType(f), Name: printable(f.Path), Version: f.Commit,
			Properties: &[]cdx.Property{
				{Name: "modelwall:verdict", Value: f.Verdict.String()},
				{Name: "modelwall:formats", Value: strings.Join(f.Formats, " ")},
				{Name: "modelwall:size", Value: strconv.FormatInt(f.Size, 10)},
			},
		}
		if f.SHA256 != "" {
			c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: f.SHA256}}
		}
		if f.Error != "" {
			*c.Properties = append(*c.Properties, cdx.Property{Name: "modelwall:error", Value: printable(f.Error)})
		}
		components = append(components, c)
		findings := f.Findings
		if f.Error != "" || f.Verdict == scan.Undetermined {
			findings = append(slices.Clip(findings), scan.Finding{
				Rule: undetermined, Severity: scan.SeveritySuspicious, Technique: undetermined,
				Message: "could not be examined: " + strings.TrimSpace(f.Error),
			})
		}
		for j, finding := range findings {
			vulnerabilities = append(vulnerabilities, cdx.Vulnerability{
				BOMRef: fmt.Sprintf("%s-finding-%d", ref, j), ID: finding.Rule,
				Source:      &cdx.Source{Name: "modelwall"},
				Ratings:     &[]cdx.VulnerabilityRating{{Severity: cdxSeverity(finding.Severity), Method: cdx.ScoringMethodOther}},
				Description: printable(finding.Message),
				Affects:     &[]cdx.Affects{{Ref: ref}},
				Properties: &[]cdx.Property{
					{Name: "modelwall:severity", Value: finding.Severity.String()},
					{Name: "modelwall:technique", Value: finding.Technique},
					{Name: "modelwall:member", Value: printable(finding.Member)},
					{Name: "modelwall:offset", Value: strconv.FormatInt(finding.Offset, 10)},
				},
			})
		}
	}
	b := cdx.NewBOM()
	b.SerialNumber = uuid.New().URN()
	b.Metadata = &cdx.Metadata{
		Timestamp: time.Now().UTC().Format(time.RFC3339),
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: "modelwall", Version: readVersion().Version,
		}}},
	}
	b.Components, b.Vulnerabilities = &components, &vulnerabilities
	return b
}

// plainFormats are those of files that are no models.
var plainFormats = []string{"text", "json", "config", "yaml", "xml", "empty", "image", "audio", "video", "document", "table", "executable"}

// componentType tells models from the files beside them.
func componentType(f scanResult) cdx.ComponentType {
	for _, format := range f.Formats {
		if !slices.Contains(plainFormats, format) {
			return cdx.ComponentTypeMachineLearningModel
		}
	}
	return cdx.ComponentTypeFile
}

func cdxSeverity(s scan.Severity) cdx.Severity {
	switch s {
	case scan.SeverityMalicious:
		return cdx.SeverityCritical
	case scan.SeveritySuspicious:
		return cdx.SeverityHigh
	case scan.Low:
		return cdx.SeverityLow
	}
	return cdx.SeverityInfo
}
