package agentd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"iotbridge/internal/buildinfo"
	"iotbridge/internal/logging"
)

// Commands are the program's command line; kong makes flags, variables and keys of
// what they hold.
type Commands struct {
	Start     Start     `cmd:"" name:"run" help:"Measure, keep and send, until told to stop."`
	Keygen    Keygen    `cmd:"" help:"Make the device's key pair."`
	Provision Provision `cmd:"" help:"Ask the gateway for this device's credential, with the bootstrap certificate."`
	Doctor    Doctor    `cmd:"" help:"Look for what keeps readings from arriving, a line each, with the cure."`
	Status    Status    `cmd:"" help:"Show how the running agent fares; exit code 1 when it does not send."`

	Version       kong.VersionFlag `env:"-" help:"Show the version."`
	ConfigFile    `embed:""`
	logging.Flags `embed:""`
}

const description = `Measure with the sensors of this machine, keep each reading on the disk, and send it to the gateway that took Google Cloud IoT Core's place.

Settings are flags, AGENT_… variables and keys of gcp_iot_config.txt, in this order: --backlog-rate 10 is AGENT_BACKLOG_RATE=10 is BACKLOG_RATE = 10.`

// ErrDone says that the arguments asked for text (--help, --version) which has been
// written: nothing else is to be done.
var ErrDone = errors.New("done")

// Parse reads the arguments after the program's name. The chosen command's Run wants a
// context and a writer.
func Parse(args []string) (*kong.Context, error) { return new(Commands).parse(args, os.Stdout) }

// parse is internal/config's without what a device has no use for, a YAML reader and
// the completion of shells: together a tenth of the binary.
func (c *Commands) parse(args []string, help io.Writer) (*kong.Context, error) {
	done := false
	parser, err := kong.New(c,
		kong.Name("iotbridge-agent"), kong.Description(description), kong.DefaultEnvars("AGENT"),
		kong.Vars{"version": "iotbridge-agent " + buildinfo.Current().String()}, kong.ValueFormatter(helpText),
		kong.Writers(help, os.Stderr), kong.Exit(func(int) { done = true }), kong.Bind(&c.ConfigFile, &c.Flags))
	if err != nil {
		return nil, err
	}
	chosen, err := parser.Parse(args)
	if done {
		return nil, ErrDone
	}
	return chosen, err
}

// helpText is kong's, and the default where a placeholder hides it.
func helpText(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	if v.Flag != nil && v.Flag.PlaceHolder != "" && v.Default != "" {
		text = fmt.Sprintf("%s Default %s.", strings.TrimSuffix(text, ".")+".", v.Default)
	}
	return text
}
