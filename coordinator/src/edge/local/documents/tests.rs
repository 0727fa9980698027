use super::{super::tests::manifest, *};

#[test]
fn faults_name_their_line() {
    let fault = |text: &str| parse(text).unwrap_err();
    let good = manifest("a", "Delete");
    let lines = good.lines().count();
    assert_eq!(fault(&format!("{good}---\na: [1\nb: 2\n")).line, lines + 3);
    let nameless =
        fault(&format!("{good}--- # second\nkind: VolumeBackup\napiVersion: federation.pingcap.com/v1alpha1\n"));
    assert_eq!(
        (nameless.line, nameless.text.as_str()),
        (lines + 1, "metadata.name is missing, or is no text: put it in quotes")
    );
    assert!(fault(&manifest("../../etc", "Delete")).text.contains("metadata.name"));

    let problem = |text: &str| parse(text).unwrap().documents.remove(0).problem.unwrap();
    let typed = problem(&good.replace("{provider: aws,", "{provider: [aws],"));
    assert!(typed.starts_with("line 9: "), "{typed}");
    assert_eq!(problem(&good.replace("cleanPolicy", "cleanpolicy")), "line 1: unknown field spec.template.cleanpolicy");

    let second = format!("{good}---\n{}", good.replace("{provider: aws,", "{provider: [aws],"));
    let second = parse(&second).unwrap().documents.remove(1).problem.unwrap();
    assert!(second.starts_with(&format!("line {}: ", lines + 1 + 9)), "{second}");
    assert!(!second.contains("line 9"), "the text counts as the file does: {second}");

    let many = fault(&"---\n".repeat(10_001));
    assert_eq!((many.line, many.text.as_str()), (10_000, "the file has 10002 documents; at most 10000 are read"));
    let long = "x".repeat(100_000);
    for text in [
        format!("kind: {long}\n"),
        good.replace("cleanPolicy", &"x".repeat(1000)),
        good.replace("name: a", &format!("name: {long}")),
    ] {
        let told = match parse(&text) {
            Ok(parsed) => parsed
                .ignored
                .into_iter()
                .map(|one| one.text)
                .chain(parsed.documents.into_iter().filter_map(|one| one.problem))
                .collect(),
            Err(fault) => fault.text,
        };
        assert!((100..=5000).contains(&told.len()), "{}", told.len());
    }

    let parsed = parse("# nothing\n---\nkind: Secret\napiVersion: v1\nmetadata: {name: s}\n---\n").unwrap();
    assert_eq!((parsed.documents.len(), parsed.ignored.len(), parsed.ignored[0].line), (0, 1, 2));
}
