use super::*;

#[test]
fn the_definition_in_deploy_is_what_the_program_prints() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/crds/volumebackups.federation.pingcap.com.yaml");
    if std::env::var_os("ISOCHRON_WRITE_CRDS").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, crds()).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap();
    assert!(kept == crds(), "run this test once with ISOCHRON_WRITE_CRDS=1 and commit {path}");
}
