package main

import (
	"errors"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// etcdFlags says where the embedded etcd keeps its data and listens. Both URLs are TCP with an explicit port:
// etcd takes no port 0, and no unix socket for its peers.
type etcdFlags struct {
	dir       string
	clientURL string
	peerURL   string
}

// etcdReadyLimit bounds the start. It takes well under a second here; a machine that is busy with builds may be
// thirty times slower.
const etcdReadyLimit = 30 * time.Second

// startEtcd returns once etcd serves. It then lives as long as the process: nothing closes it, because a test
// that kills the API server wants its store to die with it, and a test that reads the store again finds it in
// the folder (etcd's write-ahead log does not need a clean end).
func startEtcd(flags etcdFlags) error {
	client, err := url.Parse(flags.clientURL)
	if err != nil {
		return err
	}
	peer, err := url.Parse(flags.peerURL)
	if err != nil {
		return err
	}

	config := embed.NewConfig()
	config.Dir = flags.dir
	config.LogLevel = "warn"
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	// A killed process loses nothing that it has written, and no test cuts the power.
	config.UnsafeNoFsync = true

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return nil
	case err := <-etcd.Err():
		return err
	case <-time.After(etcdReadyLimit):
		etcd.Close()
		return errors.New("not ready in " + etcdReadyLimit.String())
	}
}
