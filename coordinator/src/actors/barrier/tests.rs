use super::*;

fn of(all: &[(&str, u64)]) -> BTreeMap<PlaneId, u64> {
    all.iter().map(|(plane, generation)| (PlaneId::from(*plane), *generation)).collect()
}

#[test]
fn a_session_that_was_not_heard_of_is_found_at_the_resync() {
    let known = of(&[("az1", 1), ("az2", 2), ("az3", 3)]);
    assert_eq!(missed(&known, &known), (vec![], vec![]), "nothing is told twice");
    let now = of(&[("az1", 1), ("az3", 7), ("az4", 5)]);
    assert_eq!(missed(&known, &now), (vec!["az2".into()], vec!["az3".into(), "az4".into()]));
    assert_eq!(missed(&now, &known).1, ["az2".into()], "an older generation is no news");
}
