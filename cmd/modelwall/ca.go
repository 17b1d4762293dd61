package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smallstep/truststore"
	"github.com/spf13/cobra"

	"modelwall/proxy/mitm"
)

// trustStore is the operating system's list of trusted CAs.
type trustStore interface {
	Install(cert *x509.Certificate) error
	Uninstall(cert *x509.Certificate) error
}

// systemTrust changes the real one, through sudo where the user is not root.
type systemTrust struct{}

func (systemTrust) Install(cert *x509.Certificate) error { return withOutput(truststore.Install(cert)) }

func (systemTrust) Uninstall(cert *x509.Certificate) error {
	return withOutput(truststore.Uninstall(cert))
}

// withOutput adds what the failed tool printed, which is the reason.
func withOutput(err error) error {
	var tool *truststore.CmdError
	if errors.As(err, &tool) && len(tool.Out()) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(tool.Out())))
	}
	return err
}

func newCACmd(p parts) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Show, export, install or uninstall the certificate authority",
		Long: `Show, export, install or uninstall the certificate authority with which this
machine's firewall signs for the hosts it intercepts. It is made at first use,
its key never leaves the data folder, and it can sign for no other hosts.`,
	}
	group(cmd)
	cmd.AddCommand(newCAShowCmd(), newCAExportCmd(), newCAInstallCmd(p), newCAUninstallCmd(p))
	return cmd
}

// authority opens the CA and makes it at first use.
func authority(cmd *cobra.Command) (*mitm.CA, error) {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return openCA(cfg)
}

func newCAShowCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print what the CA is, what it may sign for and where it lies",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ca, err := authority(cmd)
			if err != nil {
				return err
			}
			c := ca.Certificate()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), `subject:      %s
fingerprint:  SHA256 %s
valid from:   %s
valid until:  %s
signs for:    %s, and hosts below
certificate:  %s
bundle:       %s
`,
				c.Subject, fingerprint(c), c.NotBefore.UTC().Format(time.RFC3339), c.NotAfter.UTC().Format(time.RFC3339),
				strings.Join(c.PermittedDNSDomains, ", "), ca.CertFile(), ca.BundleFile())
			return err
		},
	}
}

// fingerprint prints the hash of a certificate as browsers and openssl do.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

func newCAExportCmd() *cobra.Command {
	format := newChoice("pem", "der")
	var bundle bool
	var output string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the CA's certificate, or the trust bundle, without any key",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if bundle && format.value == "der" {
				return usagef("--bundle has many certificates, which DER can't hold: use --format pem")
			}
			ca, err := authority(cmd)
			if err != nil {
				return err
			}
			data := ca.Certificate().Raw
			switch {
			case bundle:
				if data, err = os.ReadFile(ca.BundleFile()); err != nil {
					return err
				}
			case format.value == "pem":
				data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})
			}
			if output == "" || output == "-" {
				if format.value == "der" && isTerminal(cmd.OutOrStdout()) {
					return usagef("DER is binary: use -o FILE or redirect the output")
				}
				_, err = cmd.OutOrStdout().Write(data)
				return err
			}
			return writeFile(output, data)
		},
	}
	format.addTo(cmd, "format", "form of the certificate")
	cmd.Flags().BoolVar(&bundle, "bundle", false, "the bundle: the system's roots and this CA")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write instead of stdout")
	return cmd
}

// writeFile writes a public file whole or not at all.
func writeFile(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".modelwall-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func newCAInstallCmd(p parts) *cobra.Command {
	return &cobra.Command{
		Use:   "install",
		Short: "Add the CA to the system's trust store (asks for root's rights)",
		Long: `Add the CA to the system's trust store, which curl, wget, git and Go programs
use. Python, Node.js, Java and browsers bring a list of their own and do not look
there: 'modelwall run' and 'modelwall env' serve those without any installation.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ca, err := authority(cmd)
			if err != nil {
				return err
			}
			if err := p.trust.Install(ca.Certificate()); err != nil {
				return fmt.Errorf("install the CA: %w; `modelwall ca export` gives the certificate to install it by hand", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "installed %s\nSHA256 %s\n", ca.CertFile(), fingerprint(ca.Certificate()))
			return err
		},
	}
}

func newCAUninstallCmd(p parts) *cobra.Command {
	return &cobra.Command{
		Use:   "uninstall",
		Short: "Remove the CA from the system's trust store (asks for root's rights)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(cmd)
			if err != nil {
				return err
			}
			// Not through openCA, which would make one to uninstall.
			file := filepath.Join(cfg.DataDir, "ca", "ca.pem")
			text, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no CA to uninstall: %w", err)
			} else if err != nil {
				return err
			}
			block, _ := pem.Decode(text)
			if block == nil || block.Type != "CERTIFICATE" {
				return fmt.Errorf("%s holds no certificate", file)
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := p.trust.Uninstall(cert); err != nil {
				return fmt.Errorf("uninstall the CA: %w", err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "uninstalled %s\nSHA256 %s\n", file, fingerprint(cert))
			return err
		},
	}
}
