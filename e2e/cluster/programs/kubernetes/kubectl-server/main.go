// Command kubectl-server runs commands of kubectl, with kubectl's own code, for whoever asks over a Unix socket.
//
// A kubectl process spends most of its CPU time on its start: on initializing packages, on a TLS handshake, and on learning what the API
// server offers. Here all commands share that.
//
// Usage: kubectl-server SOCKET. Each connection carries an order and its answer, as JSON.
package main

import (
	"encoding/json"
	"log"
	"net"
	"os"

	"k8s.io/kubectl/pkg/cmd/util"
)

// order is a command line without its first word, and what the command finds in its standard input; nil where it reads none.
type order struct {
	Arguments []string `json:"arguments"`
	Input     *string  `json:"input"`
}

// answer is what a process would have left.
type answer struct {
	Code   int    `json:"code"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

func main() {
	util.BehaviorOnFatal(func(message string, code int) { panic(exit{message, code}) })
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}

func serve(connection net.Conn) {
	defer connection.Close()
	var asked order
	if err := json.NewDecoder(connection).Decode(&asked); err != nil {
		return // somebody who only looks whether we serve
	}
	if err := json.NewEncoder(connection).Encode(run(asked)); err != nil {
		log.Print(err) // whoever asked has gone
	}
}
