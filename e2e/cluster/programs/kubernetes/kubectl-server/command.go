package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// exit is how a command ends where kubectl would end the process.
type exit struct {
	message string
	code    int
}

// output is the standard output or error of a command, whose goroutines may write at the same time.
type output struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (o *output) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.Write(text)
}

func (o *output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.text.String()
}

// stdin is held by the command that reads the process's standard input: kubectl takes files named "-" from there.
var stdin sync.Mutex

// run runs a command and returns what it has left.
func run(asked order) answer {
	var input string
	if asked.Input != nil {
		input = *asked.Input
		stdin.Lock()
		defer stdin.Unlock()
		given, err := fileWith(input)
		if err != nil {
			return answer{Code: 1, Stderr: err.Error()}
		}
		defer given.Close()
		os.Stdin = given
	}
	var stdout, stderr output
	streams := genericiooptions.IOStreams{In: strings.NewReader(input), Out: &stdout, ErrOut: &stderr}
	code := execute(asked.Arguments, streams)
	return answer{code, stdout.String(), stderr.String()}
}

// fileWith returns a file that nobody else can find, to be read from its beginning.
func fileWith(text string) (*os.File, error) {
	file, err := os.CreateTemp("", "stdin")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	if _, err := file.WriteString(text); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, 0)
	return file, err
}

// execute returns the exit code of a command.
func execute(arguments []string, streams genericiooptions.IOStreams) (code int) {
	defer func() {
		if ended := recover(); ended != nil {
			early, expected := ended.(exit)
			if !expected {
				panic(ended)
			}
			code = early.code
			if early.message != "" {
				fmt.Fprintln(streams.ErrOut, strings.TrimSuffix(early.message, "\n"))
			}
		}
	}()
	command := cmd.NewKubectlCommand(cmd.KubectlOptions{
		Arguments:   append([]string{"kubectl"}, arguments...),
		ConfigFlags: configFlags(streams),
		IOStreams:   streams,
	})
	defer forget(command)
	command.SetArgs(arguments)
	command.SetIn(streams.In)
	command.SetOut(streams.Out)
	command.SetErr(streams.ErrOut)
	util.CheckErr(cli.RunNoErrOutput(command))
	return 0
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
