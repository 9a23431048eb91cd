package main

import (
	"encoding/json"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/openapi"
)

// document is the parts of an OpenAPI document that are used, under the address that has its hash.
type document struct {
	address              string
	withSchemas, without []byte
}

// documents are the OpenAPI documents of an API server. Which there are is asked for each time; one with the same hash is the same.
//
// They have only what decides how objects are validated and patched, because kubectl parses a document whenever it looks into it.
type documents struct {
	openapi.Client
	server  *server
	schemas bool
}

// Paths returns the documents by their paths.
func (d documents) Paths() (map[string]openapi.GroupVersion, error) {
	paths, err := d.Client.Paths()
	for path, group := range paths {
		if strings.Contains(group.ServerRelativeURL(), "hash=") {
			paths[path] = groupVersion{group, d, path}
		}
	}
	return paths, err
}

type groupVersion struct {
	openapi.GroupVersion
	documents documents
	path      string
}

// Schema returns the document of a group's version.
func (g groupVersion) Schema(contentType string) ([]byte, error) {
	if contentType != runtime.ContentTypeJSON {
		return g.GroupVersion.Schema(contentType)
	}
	known, err := g.document()
	if err != nil {
		return nil, err
	}
	if g.documents.schemas {
		return known.withSchemas, nil
	}
	return known.without, nil
}

func (g groupVersion) document() (document, error) {
	server := g.documents.server
	server.mutex.Lock()
	known := server.documents[g.path]
	server.mutex.Unlock()
	if known.address == g.ServerRelativeURL() {
		return known, nil
	}
	text, err := g.GroupVersion.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return document{}, err
	}
	known = document{address: g.ServerRelativeURL()}
	if known.withSchemas, known.without, err = reduced(text); err != nil {
		return document{}, err
	}
	server.mutex.Lock()
	server.documents[g.path] = known
	server.mutex.Unlock()
	return known, nil
}

// object is a JSON object whose values are as they came.
type object = map[string]json.RawMessage

// reduced returns an OpenAPI document with its PATCH operations only: with the schemas that a strategic merge patch needs, and without.
//
// To find out whether the API server validates objects of a kind, kubectl looks at how they are patched. Reviews never are; for these it
// would ask for the older version of OpenAPI and for all CRDs, so how they are created stands in for it where nothing is patched.
func reduced(text []byte) (withSchemas, without []byte, err error) {
	var whole struct {
		OpenAPI    json.RawMessage   `json:"openapi"`
		Info       json.RawMessage   `json:"info"`
		Paths      map[string]object `json:"paths"`
		Components object            `json:"components"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, nil, err
	}
	strategic := false
	for path, operations := range whole.Paths {
		patch, there := operations["patch"]
		if _, named := whole.Paths[path+"/{name}"]; !there && !named {
			patch, there = operations["post"]
		}
		if !there {
			delete(whole.Paths, path)
			continue
		}
		strategic = strategic || strings.Contains(string(patch), "application/strategic-merge-patch+json")
		operation := object{}
		if err := json.Unmarshal(patch, &operation); err != nil {
			return nil, nil, err
		}
		if _, there := operation["parameters"]; !there {
			operation["parameters"] = operations["parameters"] // those of all operations, which is one for a review
		}
		delete(operation, "responses")
		delete(operation, "description")
		if operations["patch"], err = json.Marshal(operation); err != nil {
			return nil, nil, err
		}
		whole.Paths[path] = object{"patch": operations["patch"]}
	}
	schemas := whole.Components["schemas"]
	delete(whole.Components, "schemas")
	if without, err = json.Marshal(whole); err != nil || !strategic {
		return without, without, err
	}
	whole.Components["schemas"] = schemas
	withSchemas, err = json.Marshal(whole)
	return withSchemas, without, err
}
