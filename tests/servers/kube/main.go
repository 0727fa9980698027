// Command kube is the part of Kubernetes that the tests talk to, in one file: kube-apiserver with its etcd in
// the same process, kube-controller-manager and kubectl. All of it is the real code at one release.
//
// One binary, because the three programs share nearly all of their packages: linked apart they take three
// times the disk and the link time. The name it is called by picks the program, as in BusyBox, so that a link
// named `kubectl` is a kubectl; under any other name the first argument picks.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata" // CronJobs name time zones, and a bare machine may have none

	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubectl: credential plugins of kubeconfig files
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

var programs = map[string]func(){
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kubectl":                 runKubectl,
}

func main() {
	program, known := programs[filepath.Base(os.Args[0])]
	if !known && len(os.Args) > 1 {
		// The programs read os.Args themselves, so the picked name has to become argument 0.
		os.Args = os.Args[1:]
		program, known = programs[os.Args[0]]
	}
	if !known {
		fmt.Fprintln(os.Stderr, "usage: kube {kube-apiserver|kube-controller-manager|kubectl} [flags]")
		os.Exit(2)
	}
	program()
}

// runAPIServer starts etcd first when --etcd-dir and its URLs are given, and points the API server at it. Without
// them it is an ordinary kube-apiserver, which wants --etcd-servers.
func runAPIServer() {
	args, etcd, err := takeEtcdFlags(os.Args[1:])
	if err == nil && etcd != nil {
		err = startEtcd(*etcd)
		args = append(args, "--etcd-servers="+etcd.clientURL)
	}
	if err == nil {
		err = makeServiceAccountKey(args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kube-apiserver:", err)
		os.Exit(1)
	}
	command := apiserver.NewAPIServerCommand()
	command.SetArgs(args)
	os.Exit(cli.Run(command))
}

func runControllerManager() {
	os.Exit(cli.Run(controllermanager.NewControllerManagerCommand()))
}

func runKubectl() {
	// Its own main does this before anything else: kubectl logs while it still puts its commands together.
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args))
	kubectlutil.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
}

// takeEtcdFlags takes our own flags out of the arguments and leaves the API server's.
func takeEtcdFlags(args []string) ([]string, *etcdFlags, error) {
	var etcd etcdFlags
	ours := map[string]*string{
		"--etcd-dir":        &etcd.dir,
		"--etcd-client-url": &etcd.clientURL,
		"--etcd-peer-url":   &etcd.peerURL,
	}
	rest := slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		name, value, _ := strings.Cut(arg, "=")
		field, found := ours[name]
		if found {
			*field = value
		}
		return found
	})
	switch {
	case etcd == etcdFlags{}:
		return rest, nil, nil
	case etcd.dir == "" || etcd.clientURL == "" || etcd.peerURL == "":
		return nil, nil, fmt.Errorf("--etcd-dir=, --etcd-client-url= and --etcd-peer-url= go together")
	}
	return rest, &etcd, nil
}
