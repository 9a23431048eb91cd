package main

import (
	"io"
	"sync"

	openapi_v2 "github.com/google/gnostic-models/openapiv2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	kubectlopenapi "k8s.io/kubectl/pkg/util/openapi"
	"k8s.io/kubectl/pkg/validation"
)

// connection is how one command reaches its API server: with its own flags, and with what earlier commands have learned.
type connection struct {
	*genericclioptions.ConfigFlags
	errors   io.Writer
	explains bool
	once     sync.Once
	view     *view
	err      error
}

// ToDiscoveryClient returns what the API server offers now.
func (c *connection) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	c.once.Do(func() { c.view, c.err = c.look() })
	if c.err != nil {
		return nil, c.err
	}
	return c.view, nil
}

func (c *connection) look() (*view, error) {
	config, err := c.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	server := serverAt(config.Host)
	offer := server.offerNow(client)
	return &view{CachedDiscoveryInterface: offer.kinds, offer: offer, client: client, server: server, explains: c.explains}, nil
}

// ToRESTMapper returns the mapper of the kinds, which also knows their short names.
func (c *connection) ToRESTMapper() (meta.RESTMapper, error) {
	client, err := c.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	warnings := printers.NewWarningPrinter(c.errors, printers.WarningPrinterOptions{})
	mapper, err := c.view.offer.mapper()
	if err != nil {
		return nil, err
	}
	return restmapper.NewShortcutExpander(mapper, client, warnings.Print), nil
}

// view is what one command sees of an API server: the kinds of an offer; all else is asked with its own rights.
type view struct {
	discovery.CachedDiscoveryInterface
	offer    *offer
	client   *discovery.DiscoveryClient
	server   *server
	explains bool
}

// Fresh says that to ask again is no use: the offer was compared with the API server's when the command began.
func (v *view) Fresh() bool { return true }

// Invalidate does nothing, for the same reason; the offer belongs to other commands, too.
func (v *view) Invalidate() {}

func (v *view) WithLegacy() discovery.DiscoveryInterface { return v }

func (v *view) RESTClient() rest.Interface { return v.client.RESTClient() }

func (v *view) ServerVersion() (*version.Info, error) { return v.client.ServerVersion() }

func (v *view) OpenAPISchema() (*openapi_v2.Document, error) { return v.client.OpenAPISchema() }

func (v *view) OpenAPIV3() openapi.Client {
	if v.explains {
		return v.client.OpenAPIV3()
	}
	return documents{v.client.OpenAPIV3(), v.server, true}
}

// validated is the same without the schemas, which take most of the time: kubectl leaves the validation to the API server.
type validated struct{ *view }

func (v validated) OpenAPIV3() openapi.Client {
	return documents{v.client.OpenAPIV3(), v.server, false}
}

type validating struct {
	genericclioptions.RESTClientGetter
	connection *connection
}

func (v validating) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	if _, err := v.RESTClientGetter.ToDiscoveryClient(); err != nil {
		return nil, err
	}
	return validated{v.connection.view}, nil
}

// factory is kubectl's, but validates without schemas, and patches without those that say nothing new.
type factory struct {
	cmdutil.Factory
	validating cmdutil.Factory
	connection *connection
}

func newFactory(getter genericclioptions.RESTClientGetter, connection *connection) cmdutil.Factory {
	return &factory{cmdutil.NewFactory(getter), cmdutil.NewFactory(validating{getter, connection}), connection}
}

// Validator returns what validates objects before they are sent.
func (f *factory) Validator(directive string) (validation.Schema, error) {
	return f.validating.Validator(directive)
}

// OpenAPISchema returns the schemas of all kinds, in the older version of OpenAPI, to explain alone. Other commands ask for them where the
// newer version knows no strategic merge patch, as for custom resources; the older one knows none either, and to make and send it takes an
// API server half a second after each change of a kind.
func (f *factory) OpenAPISchema() (kubectlopenapi.Resources, error) {
	if f.connection.explains {
		return f.Factory.OpenAPISchema()
	}
	return nil, nil
}
