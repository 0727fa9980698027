use super::*;

fn alice() -> Contexts {
    let path = |name: &str| PathBuf::from(format!("/home/alice/pki/{name}"));
    let context = |name: &str, server: &str| contexts::Context {
        name: name.to_owned(),
        server: server.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
        server_name: "isochron".to_owned(),
        trust_domain: "shop.internal".to_owned(),
        identities: Vec::new(),
        ca: path("ca.crt"),
        cert: path("admin-alice.crt"),
        key: PathBuf::from("admin-alice.key"),
        crl: if name == "bare" { PathBuf::new() } else { path("crl.pem") },
    };
    Contexts { current_context: "prod".to_owned(), contexts: vec![context("prod", "p:7443"), context("bare", "")] }
}

fn way(args: &ReachArgs, all: &Contexts, socket: bool) -> Result<Way, String> {
    let file = Path::new("/home/alice/.config/isochron/config.yaml");
    args.way(Some(file), all, |_| socket).map_err(|error| format!("{error:#}"))
}

#[test]
fn flags_win_over_the_context_and_the_context_over_the_socket() {
    let Way::Quic { server, server_name, files, by } = way(&ReachArgs::default(), &alice(), true).unwrap() else {
        panic!("the context counts");
    };
    assert_eq!((server, server_name.as_deref()), (vec!["p:7443".to_owned()], Some("isochron")));
    assert_eq!(files.trust_domain, "shop.internal");
    assert_eq!(files.key, Path::new("/home/alice/.config/isochron/admin-alice.key"), "relative to the file");
    assert_eq!(files.crl.as_deref(), Some(Path::new("/home/alice/pki/crl.pem")), "a revoked coordinator is not asked");
    assert_eq!(by, "the context prod of /home/alice/.config/isochron/config.yaml");

    let flags = ReachArgs {
        server: vec!["q:1".to_owned()],
        trust_domain: Some("other".to_owned()),
        cert: Some("x.crt".into()),
        ..ReachArgs::default()
    };
    let Way::Quic { server, files, .. } = way(&flags, &alice(), true).unwrap() else { panic!("flags count") };
    assert_eq!((server, files.trust_domain.as_str()), (vec!["q:1".to_owned()], "other"));
    assert_eq!((files.cert.as_path(), files.ca.as_path()), (Path::new("x.crt"), Path::new("/home/alice/pki/ca.crt")));
}

#[test]
fn a_pod_has_the_socket_only() {
    let none = Contexts::default();
    assert_eq!(way(&ReachArgs::default(), &none, true), Ok(Way::Socket(SOCKET.into())));
    // What a pod's environment says of certificates' names is no wish to dial.
    let env = ReachArgs { trust_domain: Some("x".to_owned()), ..ReachArgs::default() };
    assert_eq!(way(&env, &none, true), Ok(Way::Socket(SOCKET.into())));
    let named = ReachArgs { socket: Some("/tmp/s".into()), ..ReachArgs::default() };
    assert_eq!(way(&named, &alice(), false), Ok(Way::Socket("/tmp/s".into())));
}

#[test]
fn what_is_missing_is_named_with_where_it_was_looked_for() {
    let none = Contexts::default();
    let error = way(&ReachArgs::default(), &none, false).unwrap_err();
    for words in
        ["no context in /home/alice/.config/isochron/config.yaml", SOCKET, "pki admin", "kubectl -n isochron exec"]
    {
        assert!(error.contains(words), "{words}: {error}");
    }
    let bare = ReachArgs { context: Some("bare".to_owned()), ..ReachArgs::default() };
    let error = way(&bare, &alice(), true).unwrap_err();
    assert!(error.contains("the context bare of") && error.contains("names no server"), "{error}");
    let unknown = ReachArgs { context: Some("dev".to_owned()), ..ReachArgs::default() };
    assert!(way(&unknown, &alice(), true).unwrap_err().contains("no context \"dev\"; it has prod, bare"));
    let only_server = ReachArgs { server: vec!["q:1".to_owned()], ..ReachArgs::default() };
    let error = way(&only_server, &none, true).unwrap_err();
    assert!(error.contains("flags and variables names no ca; give --ca"), "{error}");
}

#[test]
fn a_standby_names_the_pod_to_ask() {
    let leader = "isochron-coordinator-7d9f-abcde-0b5e8f1c-3c55-4a53-9d0e-111111111111";
    let text = not_leading(Some(leader));
    assert!(text.contains("kubectl exec isochron-coordinator-7d9f-abcde -- "), "{text}");
    assert!(not_leading(None).contains("knows of none"));
    assert!(not_leading(Some("short")).contains("short does"));
}
