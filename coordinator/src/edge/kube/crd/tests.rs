use super::*;

#[test]
fn the_definitions_in_deploy_are_what_the_program_prints() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/crds");
    let mut printed = Vec::new();
    for definition in definitions() {
        let path = format!("{folder}/{}.yaml", definition.metadata.name.as_deref().unwrap());
        let text = yaml(&definition);
        if std::env::var_os("ISOCHRON_WRITE_CRDS").is_some() {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "run this test once with ISOCHRON_WRITE_CRDS=1 and commit {path}");
        printed.push(text);
    }
    assert_eq!(crds(), printed.join("---\n"));
}

#[test]
fn with_a_status_subresource_nothing_else_is_other() {
    let mut both = definitions();
    both.iter_mut().for_each(with_status);
    for (with, without) in both.iter().zip(definitions()) {
        let (mut with, without) = (serde_json::to_value(with).unwrap(), serde_json::to_value(&without).unwrap());
        let version = &mut with["spec"]["versions"][0];
        assert_eq!(version.as_object_mut().unwrap().remove("subresources"), Some(json!({"status": {}})));
        let status = &mut version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        let generation = status.as_object_mut().unwrap().remove("observedGeneration").unwrap();
        assert_eq!(generation["type"], "integer");
        assert_eq!(with, without);
    }
}
