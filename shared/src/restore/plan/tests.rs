use super::*;
use crate::{
    restore::{KindPrice, Prices},
    wire::{FindingState, PodPlace, VolumeWish},
};

const PLANES: [&str; 3] = ["az1", "az2", "az3"];

fn kind() -> VolumeKind {
    VolumeKind { name: "gp3".to_owned(), iops: None, throughput: None }
}

fn asking(rate: Option<u32>) -> Asking {
    let price = |units| Nano::from_units(units).expect("a price");
    let gp3 = KindPrice { gib: price(0.08), ..KindPrice::default() };
    let zones = BTreeMap::from([("z-az1".to_owned(), "z-az3".to_owned())]);
    Asking {
        wish: VolumeWish { zones, zone: None, kind: kind(), rate },
        hours: 4,
        prices: Prices { kinds: BTreeMap::from([("gp3".to_owned(), gp3)]), initialization: Some(price(0.000_01)) },
    }
}

fn source(plane: &str, pod: u32, gib: u64, bytes: Option<u64>) -> Source {
    Source {
        store: Some(StoreId(u64::from(pod))),
        place: Some(PodPlace { name: "tikv".to_owned(), ordinal: pod }),
        zone: format!("z-{plane}"),
        gib,
        bytes,
        ..Source::example(&format!("vol-{plane}-{pod}"))
    }
}

fn place(quota_gib: Option<u64>, used_gib: Option<u64>, initialization: u32) -> RestorePlace {
    RestorePlace { account: "1".to_owned(), region: "eu".to_owned(), quota_gib, used_gib, initialization }
}

/// Three planes of one account, two stores each of 100 GiB that hold 75.
fn told() -> Vec<(PlaneId, Told)> {
    let of = |plane: &&str| {
        let sources = (0..2).map(|pod| source(plane, pod, 100, Some(75 * GIB))).collect();
        (PlaneId::from(*plane), Told { place: Some(place(Some(10_000), Some(9_000), 5_000)), sources })
    };
    PLANES.iter().map(of).collect()
}

fn ready(plan: &Plan) -> Vec<Vec<u64>> {
    let seconds = |volume: &PlannedVolume| volume.ready.expect("known").0 / 1000;
    plan.planes.iter().map(|plane| plane.volumes.iter().map(seconds).collect()).collect()
}

#[test]
fn volumes_zones_sizes_and_prices() {
    let made = plan(&told(), &asking(None));
    let zones: Vec<&str> = made.planes.iter().map(|plane| plane.volumes[0].zone_to.as_str()).collect();
    assert_eq!(zones, ["z-az3", "z-az2", "z-az3"]);
    assert_eq!(made.planes[1].volumes[1].pod, Some(1));
    assert_eq!((made.totals.volumes, made.totals.gib, made.totals.data_bytes), (6, 600, 450 * GIB));
    assert_eq!(made.totals.ready, None, "nobody knows when data comes that nobody orders");
    let told = |nano: Option<Nano>| nano.map(|nano| nano.to_string()).unwrap_or_default();
    assert_eq!(told(made.totals.per_month), "48.00");
    assert_eq!(told(made.totals.initialization), "0.00");
    assert_eq!(told(made.totals.drill), "0.2667");
}

#[test]
fn planes_of_one_account_share_its_rate() {
    let mut told = told();
    assert_eq!(ready(&plan(&told, &asking(Some(300)))), vec![vec![256; 2]; 3], "all six fit");
    // Two at a time, the first volume of each plane before any second one.
    for (_, told) in &mut told {
        told.place = Some(place(None, None, 600));
    }
    let made = plan(&told, &asking(Some(300)));
    assert_eq!(ready(&made), [[256, 512], [256, 768], [512, 768]]);
    assert_eq!((made.totals.ready, made.planes[0].totals.ready), (Some(Millis(768_000)), Some(Millis(512_000))));
    let state = |room: &Room| room.initialization(Some(300)).map(|(state, _)| state);
    assert_eq!(state(&made.rooms[0]), Some(FindingState::Doubtful));
    // In accounts of their own each has room for two.
    for (at, (_, told)) in told.iter_mut().enumerate() {
        told.place.as_mut().expect("a place").account = at.to_string();
    }
    let apart = plan(&told, &asking(Some(300)));
    assert_eq!(ready(&apart), vec![vec![256; 2]; 3]);
    assert_eq!(apart.rooms.len(), 3);
    assert_eq!(state(&apart.rooms[0]), Some(FindingState::Sound));
    told[1].1.place.as_mut().expect("a place").initialization = 299;
    let not_one = plan(&told, &asking(Some(300)));
    assert_eq!((not_one.totals.ready, not_one.planes[0].totals.ready), (None, Some(Millis(256_000))));
    assert_eq!(state(&not_one.rooms[1]), Some(FindingState::Broken));
}

#[test]
fn the_least_quota_counts_and_what_is_used_is_taken_off() {
    let mut told = told();
    let storage = |told: &[(PlaneId, Told)]| plan(told, &asking(None)).rooms[0].storage("gp3");
    assert_eq!(storage(&told).0, FindingState::Sound);
    told[2].1.place = Some(place(Some(9_599), Some(1), 5_000));
    let (state, text) = storage(&told);
    assert_eq!(state, FindingState::Broken, "{text}");
    assert!(text.contains("600 GiB") && text.contains("9000 of 9599") && text.contains("room for 599"), "{text}");
    told[2].1.place = Some(place(Some(9_600), None, 5_000));
    assert_eq!(storage(&told).0, FindingState::Sound, "what one plane counted is so for all");
    for (_, told) in &mut told {
        told.place = Some(place(None, Some(3), 5_000));
    }
    let (state, text) = storage(&told);
    assert_eq!(state, FindingState::Doubtful);
    assert!(text.contains("aws.volumes.quotaGib.gp3"), "{text}");
    for (_, told) in &mut told {
        told.place = Some(place(Some(1), None, 5_000));
    }
    assert_eq!(storage(&told).0, FindingState::Doubtful);
}

#[test]
fn what_is_not_known_is_never_for_nothing() {
    let mut told = told();
    told[0].1.sources[0].bytes = None;
    let made = plan(&told, &asking(Some(100)));
    assert_eq!((made.totals.data_unknown, made.totals.data_bytes), (1, (100 + 5 * 75) * GIB));
    assert_eq!(made.planes[0].volumes[0].ready, Some(Millis(1_024_000)), "as long as the whole volume would take");
    told[0].1.place = None;
    let made = plan(&told, &asking(Some(100)));
    assert_eq!((made.totals.ready, made.rooms[0].planes.len()), (None, 2));
    let mut unpriced = asking(Some(100));
    unpriced.prices.initialization = None;
    let made = plan(&told, &unpriced);
    assert!(made.totals.per_month.is_some() && made.totals.initialization.is_none() && made.totals.drill.is_none());
    unpriced.prices.kinds.clear();
    assert_eq!(plan(&told, &unpriced).totals.per_month, None);
    assert_eq!(plan(&[], &unpriced).totals, NONE);
}

/// Whatever is told: every snapshot is in it once, the order is not that of the question, and parts add up to sums.
#[test]
fn laws() {
    let mut number = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = move |below: u64| {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        number % below
    };
    for case in 0..300 {
        let mut told = Vec::new();
        for plane in &PLANES[..1 + usize::try_from(draw(3)).expect("small")] {
            let sources: Vec<Source> = (0..draw(9))
                .map(|at| {
                    let huge = draw(6) == 0;
                    let gib = if huge { u64::MAX } else { draw(20_000) };
                    let bytes = (draw(4) > 0).then(|| if huge { u64::MAX } else { draw(1 << 44) });
                    let mut one = source(plane, u32::try_from(draw(5)).expect("small"), gib, bytes);
                    one.volume = VolumeId(format!("vol-{plane}-{at}"));
                    one.place = one.place.filter(|_| draw(5) > 0);
                    one
                })
                .collect();
            let place = (draw(5) > 0).then(|| {
                let quota = u32::try_from(draw(2_000)).expect("small");
                RestorePlace { account: draw(2).to_string(), ..place(Some(draw(99_999)), Some(draw(99_999)), quota) }
            });
            told.push((PlaneId::from(*plane), Told { place, sources }));
        }
        let asking = asking([None, Some(100), Some(300)][case % 3]);
        let made = plan(&told, &asking);
        let mut given: Vec<&VolumeId> =
            told.iter().flat_map(|(_, told)| told.sources.iter().map(|one| &one.volume)).collect();
        let volumes = || made.planes.iter().flat_map(|plane| &plane.volumes);
        let mut planned: Vec<&VolumeId> = volumes().map(|one| &one.of).collect();
        given.sort();
        planned.sort();
        assert_eq!(given, planned, "every volume exactly once");
        let sum =
            |of: fn(&Totals) -> u64| made.planes.iter().fold(0_u64, |sum, plane| sum.saturating_add(of(&plane.totals)));
        assert_eq!(made.totals.volumes, sum(|totals| totals.volumes));
        assert_eq!(made.totals.gib, sum(|totals| totals.gib));
        assert_eq!(made.totals.data_bytes, sum(|totals| totals.data_bytes));
        let months: Option<Nano> = volumes().map(|one| one.per_month).sum::<Option<Nano>>();
        assert_eq!(made.totals.per_month, months);
        let latest: Option<Vec<Millis>> = volumes().map(|one| one.ready).collect();
        assert_eq!(made.totals.ready, latest.map(|all| all.into_iter().max().unwrap_or_default()), "the slowest");
        let in_rooms: u64 = made.rooms.iter().map(|room| room.volumes).sum();
        let known = told.iter().filter(|(_, told)| told.place.is_some());
        assert_eq!(in_rooms, known.map(|(_, told)| told.sources.len() as u64).sum::<u64>());
        for (_, told) in &mut told {
            told.sources.reverse();
        }
        assert!(plan(&told, &asking) == made, "case {case}: order does not come from the question");
    }
}
