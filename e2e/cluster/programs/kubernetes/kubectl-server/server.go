package main

import (
	"io"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// server is what is known of an API server. Each command compares it with the API server, by ETags, before it is used.
type server struct {
	mutex     sync.Mutex
	offer     *offer
	documents map[string]document
}

// offer is the kinds that an API server has, as long as its list of kinds has the tag.
type offer struct {
	tag    string
	kinds  discovery.CachedDiscoveryInterface
	mapper func() (meta.RESTMapper, error)
}

var (
	serversMutex sync.Mutex
	servers      = map[string]*server{}
)

func serverAt(host string) *server {
	serversMutex.Lock()
	defer serversMutex.Unlock()
	if servers[host] == nil {
		servers[host] = &server{documents: map[string]document{}}
	}
	return servers[host]
}

// offerNow returns what the API server offers, asked for with the client unless it is known.
func (s *server) offerNow(client *discovery.DiscoveryClient) *offer {
	s.mutex.Lock()
	kept := s.offer
	s.mutex.Unlock()
	for {
		var tag string
		if kept != nil {
			tag = kept.tag
		}
		now, changed := tagNow(client.RESTClient(), tag)
		if kept != nil && !changed {
			return kept
		}
		asked := newOffer(now, client)
		if now == "" {
			return asked // it cannot be compared later, or the API server cannot be reached, which the command will tell
		}
		if _, _, err := asked.kinds.ServerGroupsAndResources(); err != nil {
			return asked
		}
		kept = asked
		s.mutex.Lock()
		s.offer = kept
		s.mutex.Unlock()
	}
}

func newOffer(tag string, client discovery.DiscoveryInterface) *offer {
	kinds := memory.NewMemCacheClient(client)
	return &offer{tag, kinds, sync.OnceValues(func() (meta.RESTMapper, error) {
		resources, err := restmapper.GetAPIGroupResources(kinds)
		if err != nil {
			return nil, err
		}
		return restmapper.NewDiscoveryRESTMapper(resources), nil
	})}
}

// tagNow asks for the ETag of the list of kinds, and says whether it is another one; who gets no content is told nothing new.
func tagNow(client rest.Interface, tag string) (now string, changed bool) {
	asking, err := http.NewRequest(http.MethodGet, client.Get().AbsPath("/apis").URL().String(), nil)
	if err != nil {
		return "", false
	}
	asking.Header.Set("Accept", discovery.AcceptV2)
	if tag != "" {
		asking.Header.Set("If-None-Match", tag)
	}
	answer, err := client.(*rest.RESTClient).Client.Do(asking)
	if err != nil {
		return "", false
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", false
	}
	_, err = io.Copy(io.Discard, answer.Body) // the connection can be used again
	return answer.Header.Get("ETag"), err == nil
}
