use super::worlds::{Net, World, exponential};
use super::*;

const SEED: u64 = 5;

fn seen(contender: &str, family: &str, quota: Quota) -> Seen {
    let contender =
        OURS.iter().chain(PEERS).chain(PACED).find(|it| it.name == contender).expect("a contender");
    let family = FAMILIES.iter().find(|it| it.name == family).expect("a family");
    let mut all = Seen::none();
    for draw in 0..u64::from(family.draws.min(10)) {
        let world = (family.make)(&mut Rng::with_seed(SEED + draw));
        let mut schedule = (contender.make)(quota);
        let rng = &mut Rng::with_seed(SEED);
        all.add(run(&mut *schedule, &world, None, quota, family.net, rng));
        assert!(schedule.is_empty() || all.lost > 0);
    }
    all
}

/// `run` itself holds that no job has two looks in flight, and that nobody is asked to wait for nothing.
fn ours(family: &str) -> Seen {
    let seen = seen("frontier", family, Quota::default());
    assert_eq!(seen.lost, 0, "{family}");
    seen
}

#[test]
fn one_worker_is_followed_as_closely_as_can_be() {
    for family in ["W1", "W2"] {
        let (ours, best) =
            (ours(family).mean(), seen("oldest first, paced", family, Quota::default()).mean());
        assert!(ours < 1.10 * best && best < 0.17, "{family}: {ours} {best}");
    }
}

#[test]
fn many_workers_retries_and_a_wrong_order_are_survived() {
    for (family, bound) in [("W3", 0.75), ("W4", 0.40), ("W4c", 2.0), ("B5", 4.0), ("N4", 0.6), ("N5", 0.8)] {
        let mean = ours(family).mean();
        assert!(mean < bound, "{family}: {mean}");
    }
    for family in ["B1", "B2"] {
        let (ours, paced) = (ours(family), seen("round robin, paced", family, Quota::default()));
        assert!(ours.mean() < 1.3 * paced.mean(), "{family}: {} {}", ours.mean(), paced.mean());
        assert!(ours.quantile(0.99) < 1.8 * paced.quantile(0.99), "{family}: {}", ours.quantile(0.99));
    }
}

#[test]
fn what_is_regular_costs_few_calls_and_a_price_spares_more() {
    let regular = seen("frontier 0.1", "W1d", Quota::default());
    assert!((regular.mean() - 0.04) * (regular.calls_each() - 1.0) < 0.22, "{}", regular.mean());
    let calls = |name| seen(name, "W1", Quota::default()).calls_each();
    assert!(calls("frontier 0.1") < 4.6 && calls("frontier 2") < 2.2);
}

#[test]
fn the_oracle_is_never_late_below_the_quota_and_bound_by_it_above() {
    let at = |done: f64| worlds::Job { submitted: 0.0, done, lane: 0 };
    let net = Net::STEADY;
    let sparse = World { jobs: (1..50).map(|n| at(f64::from(n))).collect(), ..World::default() };
    assert!((oracle(&sparse, Quota::default(), net).mean() - 0.04).abs() < 1e-9);
    let dense = World { jobs: (0..50).map(|_| at(10.0)).collect(), ..World::default() };
    assert!((oracle(&dense, Quota::default(), net).quantile(1.0) - 5.04).abs() < 1e-9);
}

#[test]
fn the_paced_peer_measures_what_the_formula_says() {
    let mean = seen("oldest first, paced", "W1", Quota::default()).mean();
    assert!((mean - 0.149).abs() < 0.008, "{mean}");
    let rng = &mut Rng::with_seed(SEED);
    let draws = (0..10_000).map(|_| exponential(rng)).sum::<f64>() / 10_000.0;
    assert!((draws - 1.0).abs() < 0.1, "{draws}");
}

#[test]
fn who_gives_up_loses_ids_and_the_same_seed_is_the_same_history() {
    assert!(seen("boto 5 s x 40", "W8q", Quota::default()).lost > 0);
    let (one, two) = (ours("N4"), ours("N4"));
    assert_eq!((one.calls, one.latency), (two.calls, two.latency));
}

#[test]
fn the_picture_shows_who_is_in_the_data_and_no_less() {
    let names = || OURS.iter().chain(PEERS).chain(PACED).map(|it| it.name).chain([ORACLE]);
    let row = |world, (contender, place): (_, u8)| Row {
        quota: FULL,
        world,
        contender,
        mean: 1.0 + f64::from(place),
        median: 0.0,
        p99: 0.0,
        calls: 1.0 + f64::from(place) / 2.0,
        lost: u64::from(contender == "random"),
        tail: 0.0,
    };
    let rows: Vec<Row> = ["W1", "W2"]
        .into_iter()
        .flat_map(|world| names().zip(0_u8..).map(move |named| row(world, named)))
        .collect();
    let svg = picture::svg(&rows).expect("all is there");
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    // Six prices; the ten without the two that give up and the one that lost a job, and the paced one.
    assert_eq!(svg.matches(r#"<circle class="ours""#).count(), 2 * 6);
    assert_eq!(svg.matches(r#"<circle class="other""#).count(), 2 * (10 - 2 - 1 + 1));
    assert!(svg.contains(">activity-status</text>") && !svg.contains("random"), "{svg}");
    assert!(picture::svg(&rows[1..]).is_err());
}

#[test]
fn a_goal_without_its_runs_is_missed_and_the_table_has_a_line_for_each_world() {
    let size = size::Size { in_order: 1.0, all_late: 1.0, bytes: Some(40.0) };
    let missed = goals::check(&[], &size).iter().filter(|goal| !goal.reached).count();
    assert_eq!(missed, 10, "all but the one about size");
    let family = FAMILIES.iter().find(|it| it.name == "W8").expect("a family");
    let rows = rows_of(family, FULL, Quota::default(), &OURS[..1]);
    assert_eq!(rows.len(), 2);
    assert_eq!(to_csv(&rows).lines().count(), 3);
    assert_eq!(markdown(&rows, FULL).lines().count(), FAMILIES.len() + 2);
}
