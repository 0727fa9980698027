use super::*;
use std::os::unix::fs::PermissionsExt;

fn context(name: &str, server: &str) -> Context {
    Context { name: name.to_owned(), server: vec![server.to_owned()], ..Context::default() }
}

#[test]
fn the_folder_is_the_users() {
    let with = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        default_path(move |wanted| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone()))
    };
    let file = |path: &str| Some(PathBuf::from(path));
    assert_eq!(with(&[("HOME", "/home/a")]), file("/home/a/.config/isochron/config.yaml"));
    assert_eq!(with(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")]), file("/x/isochron/config.yaml"));
    assert_eq!(with(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "")]), file("/home/a/.config/isochron/config.yaml"));
    assert_eq!(with(&[("XDG_CONFIG_HOME", "relative")]), None);
}

#[test]
fn contexts_are_merged_and_the_current_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("isochron/config.yaml");
    assert_eq!(Contexts::load(&path).unwrap(), Contexts::default());
    assert!(change(&path, |all| Ok(all.put(context("a", "one:7443")))).unwrap(), "the first one is the current one");
    assert!(!change(&path, |all| Ok(all.put(context("b", "two:7443")))).unwrap());
    assert!(change(&path, |all| Ok(all.put(context("a", "three:7443")))).unwrap());
    let all = Contexts::load(&path).unwrap();
    assert_eq!(all.current_context, "a");
    let shown: Vec<_> = all.contexts.iter().map(|it| (it.name.as_str(), it.server[0].as_str())).collect();
    assert_eq!(shown, [("a", "three:7443"), ("b", "two:7443")]);
    assert_eq!(all.choose(&path, None).unwrap().unwrap().name, "a");
    assert_eq!(all.choose(&path, Some("b")).unwrap().unwrap().name, "b");
    let error = all.choose(&path, Some("c")).unwrap_err().to_string();
    assert!(error.contains("no context \"c\"; it has a, b"), "{error}");
    assert_eq!(Contexts::default().choose(&path, None).unwrap(), None);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
}

#[test]
fn what_is_not_understood_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    for text in ["contexts: 7\n", "kind: Config\nclusters: []\n", "contexts:\n- nmae: a\n"] {
        fs::write(&path, text).unwrap();
        let error = change(&path, |all| Ok(all.put(context("a", "one:7443")))).unwrap_err();
        assert!(matches!(error, ContextError::Unreadable { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, "# nothing yet\n").unwrap();
    assert!(Contexts::load(&path).is_ok(), "comments only");
}

#[test]
fn two_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || change(path, |all| Ok(all.put(context(&format!("c{number}"), "x:1")))).unwrap());
        }
    });
    assert_eq!(Contexts::load(&path).unwrap().contexts.len(), 8);
}
