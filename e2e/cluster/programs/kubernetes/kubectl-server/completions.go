package main

import (
	"sync"
	_ "unsafe" // for go:linkname

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// cobra keeps the completions of flags of all commands that were ever made, and through them all that these commands have used: a quarter
// of a megabyte each, of which no shell will ask for anything here.

//go:linkname flagCompletions github.com/spf13/cobra.flagCompletionFunctions
var flagCompletions map[*pflag.Flag]cobra.CompletionFunc

//go:linkname flagCompletionMutex github.com/spf13/cobra.flagCompletionMutex
var flagCompletionMutex *sync.RWMutex

// forget drops what cobra keeps of a command and of its subcommands.
func forget(command *cobra.Command) {
	flagCompletionMutex.Lock()
	defer flagCompletionMutex.Unlock()
	forgetFlags(command)
}

func forgetFlags(command *cobra.Command) {
	drop := func(flag *pflag.Flag) { delete(flagCompletions, flag) }
	command.Flags().VisitAll(drop)
	command.PersistentFlags().VisitAll(drop)
	for _, subcommand := range command.Commands() {
		forgetFlags(subcommand)
	}
}
