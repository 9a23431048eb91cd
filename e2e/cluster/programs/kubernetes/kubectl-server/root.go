package main

import (
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/annotate"
	"k8s.io/kubectl/pkg/cmd/apply"
	"k8s.io/kubectl/pkg/cmd/create"
	deletion "k8s.io/kubectl/pkg/cmd/delete"
	"k8s.io/kubectl/pkg/cmd/explain"
	"k8s.io/kubectl/pkg/cmd/get"
	"k8s.io/kubectl/pkg/cmd/label"
	"k8s.io/kubectl/pkg/cmd/patch"
	"k8s.io/kubectl/pkg/cmd/rollout"
	"k8s.io/kubectl/pkg/cmd/scale"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/cmd/wait"
	"k8s.io/kubectl/pkg/util/templates"
)

// explains is the command that shows the documents of OpenAPI as they are.
const explains = "explain"

// frequent are the commands that are made alone, without all others of kubectl, and with what is known of the API server.
var frequent = map[string]func(cmdutil.Factory, genericiooptions.IOStreams) *cobra.Command{
	"annotate": func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command {
		return annotate.NewCmdAnnotate("kubectl", f, s)
	},
	"apply": func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command {
		return apply.NewCmdApply("kubectl", f, s)
	},
	"create": create.NewCmdCreate,
	"delete": deletion.NewCmdDelete,
	explains: func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command {
		return explain.NewCmdExplain("kubectl", f, s)
	},
	"get": func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command {
		return get.NewCmdGet("kubectl", f, s)
	},
	"label": label.NewCmdLabel,
	"patch": patch.NewCmdPatch,
	"rollout": func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command {
		return rollout.NewCmdRollout("kubectl", f, s)
	},
	"scale": scale.NewCmdScale,
	"wait":  func(f cmdutil.Factory, s genericiooptions.IOStreams) *cobra.Command { return wait.NewCmdWait(f, s) },
}

// elsewhere are options that only the whole kubectl has, or whose output is about it.
var elsewhere = []string{"-h", "--help", "--kuberc", "--profile", "--warnings-as-errors"}

// command returns the command of kubectl that understands the arguments.
func command(arguments []string, streams genericiooptions.IOStreams) *cobra.Command {
	flags := configFlags(streams)
	if name := name(arguments); frequent[name] != nil && !slices.ContainsFunc(arguments, isElsewhere) {
		return alone(name, flags, streams)
	}
	return cmd.NewKubectlCommand(cmd.KubectlOptions{
		Arguments:   append([]string{"kubectl"}, arguments...),
		ConfigFlags: flags,
		IOStreams:   streams,
	})
}

func isElsewhere(argument string) bool {
	return slices.ContainsFunc(elsewhere, func(option string) bool { return strings.HasPrefix(argument, option) })
}

// name returns the name of the command, or nothing where options of its own stand before it.
func name(arguments []string) string {
	command := &cobra.Command{}
	flags := command.PersistentFlags()
	flags.SetOutput(io.Discard)
	flags.SetInterspersed(false)
	genericclioptions.NewConfigFlags(false).AddFlags(flags)
	if flags.Parse(arguments) != nil {
		return ""
	}
	return flags.Arg(0)
}

// alone returns kubectl with one command only, and with explain, which others name where it is there; it does not read the preferences
// (kuberc) of whoever runs the tests.
func alone(name string, flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{Use: "kubectl", CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}}
	flags.AddFlags(root.PersistentFlags())
	connection := &connection{ConfigFlags: flags, errors: streams.ErrOut, explains: name == explains}
	matching := cmdutil.NewMatchVersionFlags(connection)
	matching.AddFlags(root.PersistentFlags())
	templates.ActsAsRootCommand(root, nil)
	factory := newFactory(matching, connection)
	root.AddCommand(frequent[name](factory, streams))
	if name != explains {
		root.AddCommand(frequent[explains](factory, streams))
	}
	return root
}

// configFlags returns kubectl's flags about the API server, with kubectl's limits; warnings go to the command that caused them.
func configFlags(streams genericiooptions.IOStreams) *genericclioptions.ConfigFlags {
	warnings := rest.NewWarningWriter(streams.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	flags := genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().WithDiscoveryBurst(300).WithDiscoveryQPS(50.0)
	return flags.WithWarningPrinter(streams).WithWrapConfigFn(func(config *rest.Config) *rest.Config {
		config.WarningHandler = warnings
		return config
	})
}
