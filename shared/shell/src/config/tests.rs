use super::*;
use serde::Deserialize;
use std::io::Write;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Config {
    quic: Quic,
    planes: Vec<String>,
    trust_domain: String,
    crl: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Quic {
    listen: std::net::SocketAddr,
    max_sessions: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { quic: Quic::default(), planes: Vec::new(), trust_domain: "isochron".to_owned(), crl: None }
    }
}

impl Default for Quic {
    fn default() -> Self {
        Self { listen: ([0, 0, 0, 0], 7443).into(), max_sessions: 2048 }
    }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn each_layer_covers_the_one_below_and_every_value_has_its_source() {
    let file = file("quic:\n  maxSessions: 7\n  listen: 127.0.0.1:1\ntrustDomain: from-file\n");
    let variables = env(&[
        ("ISOCHRON_QUIC_MAX_SESSIONS", "9"),
        ("ISOCHRON_PLANES", "a, b"),
        ("ISOCHRON_TRUST_DOMAIN", "123"),
        ("ISOCHRON_CRL", "/tls/crl.pem"),
        ("ISOCHRON_COORDINATOR_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
    ]);
    let loaded = load::<Config>(Some(file.path()), variables).unwrap();
    let quic = Quic { listen: ([127, 0, 0, 1], 1).into(), max_sessions: 9 };
    let planes = vec!["a".to_owned(), "b".to_owned()];
    let crl = Some(PathBuf::from("/tls/crl.pem"));
    assert_eq!(loaded.value, Config { quic, planes, trust_domain: "123".to_owned(), crl });
    assert_eq!(loaded.unused, ["ISOCHRON_COORDINATOR_SERVICE_HOST"]);
    assert_eq!(loaded.sources["quic.listen"], Source::File(file.path().to_owned()));
    assert_eq!(loaded.sources["quic.maxSessions"], Source::Env("ISOCHRON_QUIC_MAX_SESSIONS".to_owned()));
    let again = self::file(&loaded.print());
    assert_eq!(load::<Config>(Some(again.path()), []).unwrap().value, loaded.value, "what is printed may be used");
}

#[test]
fn print_shows_each_source() {
    let loaded = load::<Config>(None, env(&[("ISOCHRON_PLANES", "[a]")])).unwrap();
    let text = loaded.print();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split("  #").map(str::trim_end).collect()).collect();
    let want: [&[&str]; 6] = [
        &["crl: null", " default"],
        &["planes: [\"a\"]", " $ISOCHRON_PLANES"],
        &["quic:"],
        &["  listen: \"0.0.0.0:7443\"", " default"],
        &["  maxSessions: 2048", " default"],
        &["trustDomain: \"isochron\"", " default"],
    ];
    assert_eq!(lines, want);
}

#[test]
fn an_unknown_key_is_refused_with_its_line() {
    let file = file("trustDomain: x\nquic:\n  maxSessionz: 7\n");
    let error = load::<Config>(Some(file.path()), []).unwrap_err().to_string();
    assert!(error.contains("maxSessionz") && error.contains("line 3"), "{error}");
}

#[test]
fn a_variable_that_does_not_fit_is_named() {
    let error = load::<Config>(None, env(&[("ISOCHRON_QUIC_LISTEN", "nowhere")])).unwrap_err().to_string();
    assert!(error.contains("$ISOCHRON_QUIC_LISTEN") && error.contains("quic.listen"), "{error}");
}

#[test]
fn an_empty_file_and_a_missing_one() {
    let file = file("# nothing yet\n");
    assert_eq!(load::<Config>(Some(file.path()), []).unwrap().value, Config::default());
    assert!(matches!(load::<Config>(Some(Path::new("/nowhere.yaml")), []), Err(ConfigError::Read { .. })));
}
