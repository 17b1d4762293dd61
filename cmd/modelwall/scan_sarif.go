package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"modelwall/scan"
)

// SARIF 2.1.0 (OASIS), as much of it as a scan fills: one run with its rules
// and results, for code scanning services.
type (
	sarif struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		Results    []sarifResult `json:"results"`
		ColumnKind string        `json:"columnKind"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		ShortDescription sarifText      `json:"shortDescription"`
		Properties       map[string]any `json:"properties"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
		Properties   map[string]any    `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	// A model has no lines. Services that show results want one all the same,
	// and a region can't have lines and bytes that disagree: so it is the
	// first line, and the byte is a property of the result.
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

// undetermined is the rule of files that could not be examined.
const undetermined = "undetermined"

// sarifLog makes the log of a report. What could not be examined is a result
// as well: a log without results reads as clean.
func sarifLog(r scanReport) sarif {
	rules := map[string]int{}
	driver := sarifDriver{Name: "modelwall", Version: readVersion().Version, Rules: []sarifRule{}}
	results := []sarifResult{}
	add := func(f scanResult, finding scan.Finding, level string) {
		index, ok := rules[finding.Rule]
		if !ok {
			index = len(driver.Rules)
			rules[finding.Rule] = index
			driver.Rules = append(driver.Rules, sarifRule{
				ID: finding.Rule, ShortDescription: sarifText{describeRule(finding)},
				Properties: map[string]any{"tags": []string{"security", finding.Technique}, "security-severity": cvss(finding.Severity)},
			})
		}
		location := sarifLocation{Physical: sarifPhysical{sarifArtifact{uri(f.Path)}, sarifRegion{1}}}
		if finding.Member != "" {
			location.Logical = []sarifLogical{{printable(finding.Member), "member"}}
		}
		results = append(results, sarifResult{
			RuleID: finding.Rule, RuleIndex: index, Level: level, Message: sarifText{printable(finding.Message)},
			Locations:    []sarifLocation{location},
			Fingerprints: map[string]string{"modelwall/v1": fingerprintOf(finding)},
			Properties: map[string]any{
				"severity": finding.Severity.String(), "member": finding.Member, "byteOffset": finding.Offset,
				"verdict": f.Verdict.String(), "formats": f.Formats, "sha256": f.SHA256,
			},
		})
	}
	for _, f := range r.Files {
		for _, finding := range f.Findings {
			add(f, finding, sarifLevel(finding.Severity))
		}
		if f.Error != "" || f.Verdict == scan.Undetermined {
			add(f, scan.Finding{
				Rule: undetermined, Severity: scan.SeveritySuspicious, Technique: undetermined,
				Message: "could not be examined: " + strings.TrimSpace(f.Error),
			}, "error")
		}
	}
	return sarif{
		Schema:  "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{{Tool: sarifTool{driver}, Results: results, ColumnKind: "utf16CodeUnits"}},
	}
}

// describeRule says what a rule is about: rules have names that say it, and
// findings a technique.
func describeRule(f scan.Finding) string {
	if f.Rule == undetermined {
		return "The file could not be examined"
	}
	format, what, _ := strings.Cut(f.Rule, ".")
	return fmt.Sprintf("%s: %s (%s)", format, strings.ReplaceAll(what, "-", " "), f.Technique)
}

func sarifLevel(s scan.Severity) string {
	switch s {
	case scan.SeverityMalicious, scan.SeveritySuspicious:
		return "error"
	case scan.Low:
		return "warning"
	}
	return "note"
}

// cvss is the number by which GitHub sorts security results.
func cvss(s scan.Severity) string {
	switch s {
	case scan.SeverityMalicious:
		return "9.8"
	case scan.SeveritySuspicious:
		return "7.5"
	case scan.Low:
		return "3.0"
	}
	return "0.0"
}

// fingerprintOf is the same for a finding that is found again after other
// parts of the file have changed: it has no offset. The file is matched apart.
func fingerprintOf(f scan.Finding) string {
	sum := sha256.Sum256([]byte(f.Rule + "\x00" + f.Member + "\x00" + f.Message))
	return hex.EncodeToString(sum[:16])
}

// uri spells the path of a file as a URI reference (RFC 3986), relative if the
// path is.
func uri(path string) string {
	if strings.HasPrefix(path, "hf://") {
		rest := strings.TrimPrefix(path, "hf://")
		return "hf://" + (&url.URL{Path: rest}).EscapedPath()
	}
	slashed := filepath.ToSlash(path)
	if filepath.IsAbs(path) {
		if !strings.HasPrefix(slashed, "/") {
			slashed = "/" + slashed // a drive
		}
		return (&url.URL{Scheme: "file", Path: slashed}).String()
	}
	return (&url.URL{Path: slashed}).String()
}
