use super::*;

const START: Duration = Duration::from_secs(1000);
const MS: Duration = Duration::from_millis(1);
const TRIP: Duration = Duration::from_millis(80);

fn frontier(jobs: usize) -> (Frontier, Vec<JobKey>) {
    let mut schedule = Frontier::new(Quota::default());
    let keys = (0..jobs).map(|_| schedule.add(0, Some(START))).collect();
    (schedule, keys)
}

/// Asks until a time: when which job was polled. `done` tells at which second after the start each job is done.
fn drive(schedule: &mut Frontier, until: Duration, done: impl Fn(JobKey) -> f64) -> Vec<(f64, JobKey)> {
    let mut now = START;
    let mut polls = Vec::new();
    while now < until {
        match schedule.next(now) {
            Next::Poll(job) => {
                let at = (now - START).as_secs_f64();
                polls.push((at, job));
                let what = if done(job) <= at { Observed::Settled } else { Observed::Pending };
                schedule.observe(job, what, now, now + TRIP);
                now += TRIP;
            }
            Next::Wait(wait) => {
                assert!(!wait.is_zero());
                now += wait;
            }
            Next::Done => break,
        }
    }
    polls
}

#[test]
fn a_look_is_made_when_the_waiting_that_it_ends_is_worth_its_price() {
    for (price, expected) in [(100, 0.69), (400, 1.39)] {
        let mut schedule = Frontier::new(Quota::default()).price(MS * price);
        schedule.add(0, Some(START));
        let first = drive(&mut schedule, START + MS * 5000, |_| 1e9)[0].0;
        // h s^2 / 2 = price, with a hazard of one in 2.4 s.
        assert!((first - expected).abs() < 0.05, "{first}");
    }
}

#[test]
fn guesses_keep_the_gap() {
    let (mut schedule, _) = frontier(100);
    let polls = drive(&mut schedule, START + MS * 60_000, |_| 1e9);
    assert!(polls.len() > 100);
    for two in polls.windows(2) {
        assert!(two[1].0 - two[0].0 >= 0.199, "{two:?}");
    }
}

#[test]
fn in_an_ordered_queue_only_the_front_is_looked_at() {
    let (mut schedule, keys) = frontier(1000);
    let polls = drive(&mut schedule, START + MS * 600_000, |job| 2.4 * (job.0 + 1) as f64);
    let far = polls.iter().filter(|(at, job)| job.0 as f64 > at / 2.4 + 3.0).count();
    assert!(far * 20 < polls.len(), "{far} of {}", polls.len());
    assert!(schedule.len() < keys.len() - 240, "a job each 2.4 s was found");
}

#[test]
fn a_silence_thins_the_looks_out_and_is_forgotten_at_the_first_hit() {
    let (mut schedule, _) = frontier(1000);
    // 100 jobs, an outage of an hour, the rest.
    let done = |job: JobKey| 2.4 * (job.0 + 1) as f64 + if job.0 < 100 { 0.0 } else { 3600.0 };
    let polls = drive(&mut schedule, START + MS * 4_000_000, done);
    let between = |from: f64, to: f64| polls.iter().filter(|(at, _)| (from..to).contains(at)).count();
    let (in_outage, after) = (between(3000.0, 3100.0), between(3900.0, 4000.0));
    assert!(in_outage * 5 < after * 3, "{in_outage} {after}");
    assert!(schedule.len() < 1000 - 160, "{} are open", schedule.len());
}

#[test]
fn several_looks_are_in_flight_but_never_two_at_one_job() {
    let (mut schedule, _) = frontier(1000);
    let mut now = START;
    let mut flying = Vec::new();
    for _ in 0..10_000 {
        match schedule.next(now) {
            Next::Poll(job) => {
                assert!(!flying.contains(&job));
                flying.push(job);
            }
            Next::Wait(wait) => now += wait,
            Next::Done => panic!("jobs are open"),
        }
    }
    assert_eq!(flying.len(), 25, "as many as the quota lets go, and no more");
}

#[test]
fn a_failed_look_loses_nothing() {
    let (mut schedule, keys) = frontier(1);
    let mut now = START;
    let mut fails = 0;
    while fails < 50 {
        match schedule.next(now) {
            Next::Poll(job) => {
                let what = [Observed::Failed, Observed::Refused][fails % 2];
                schedule.observe(job, what, now, now + TRIP);
                (fails, now) = (fails + 1, now + TRIP);
            }
            Next::Wait(wait) => now += wait,
            Next::Done => panic!("one job is open"),
        }
    }
    assert!(now < START + MS * 200_000, "{now:?}");
    let polls = drive(&mut schedule, now + MS * 60_000, |_| 0.0);
    assert_eq!(polls.last().map(|(_, job)| *job), Some(keys[0]));
    assert!(schedule.is_empty());
}

#[test]
fn a_look_that_was_not_made_changes_nothing() {
    let (mut schedule, _) = frontier(300);
    // Every seventh fails at first, and is done a while later; nothing at all happens between 100 s and 200 s.
    let done = |job: JobKey| {
        let at = 2.4 * (job.0 + 1) as f64;
        at + if at > 100.0 { 100.0 } else { 0.0 } + if job.0.is_multiple_of(7) { 151.0 } else { 0.0 }
    };
    let (mut now, mut looks) = (START, 0);
    loop {
        match schedule.next(now) {
            Next::Poll(job) => {
                looks += 1;
                schedule.observe(job, Observed::Unsent, now, now);
                nobody_is_forgotten(&schedule);
                assert_eq!(schedule.next(now), Next::Poll(job), "look {looks}");
                let settled = (now - START).as_secs_f64() >= done(job);
                let what = if settled { Observed::Settled } else { Observed::Pending };
                schedule.observe(job, what, now, now + TRIP);
                now += TRIP;
            }
            Next::Wait(wait) => now += wait,
            Next::Done => break,
        }
    }
    assert!(looks > 1000);
}

#[test]
fn ids_of_unknown_age_are_asked_about_at_once_until_a_look_misses() {
    for (submitted_at, at_once) in [(None, true), (Some(START), false)] {
        let mut schedule = Frontier::new(Quota::default()).price(MS * 10_000);
        let keys: Vec<JobKey> = (0..9).map(|_| schedule.add(0, submitted_at)).collect();
        let mut now = START;
        let mut polled = 0;
        while let Next::Poll(job) = schedule.next(now) {
            assert_eq!(job, keys[polled]);
            polled += 1;
            schedule.observe(
                job,
                if polled < 6 { Observed::Settled } else { Observed::Pending },
                now,
                now + TRIP,
            );
            now += MS * 201;
        }
        assert_eq!(polled, if at_once { 6 } else { 0 });
    }
}

/// Every open job is in one place from which it will be polled: active, in the heap, or in flight.
fn nobody_is_forgotten(schedule: &Frontier) {
    for (number, lane) in schedule.lanes.iter().enumerate() {
        let in_flight =
            |place: u32| schedule.in_flight.iter().any(|(key, _)| *key == super::key(number as u16, place));
        lane.assert_nobody_is_forgotten(in_flight);
    }
}

#[test]
fn whatever_happens_every_late_job_without_a_look_in_flight_is_in_the_heap() {
    for seed in 1..10_u64 {
        let mut random = seed;
        let mut dice = move |sides: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % sides
        };
        let (mut schedule, mut keys) = frontier(50);
        let (mut now, mut flying, mut forgotten) = (START, Vec::new(), Vec::new());
        for step in 0..2000 {
            match dice(11) {
                0 => keys.push(schedule.add(dice(3) as u16, (dice(2) == 0).then_some(now))),
                // Whatever has become of it; a look at it may be in flight, and is observed later.
                10 if dice(4) == 0 => {
                    let (job, before) = (keys[dice(keys.len() as u64) as usize], schedule.len());
                    schedule.forget(job);
                    schedule.forget(JobKey(dice(1 << 40)));
                    forgotten.push(job);
                    assert!(schedule.len() + 1 >= before && schedule.eta_of(job, now).is_none());
                }
                1 => now += Duration::from_millis(dice(60_000)),
                // Nonsense: unknown jobs, settled ones, times that go back.
                2 => schedule.observe(JobKey(dice(1 << 40)), Observed::Settled, now, START),
                3 => schedule.hint(dice(3) as u16, dice(1000), dice(3) as f64 - 1.0, now),
                4 => {
                    if let Next::Poll(job) = schedule.next(now - MS * dice(1000) as u32) {
                        assert!(!forgotten.contains(&job), "seed {seed}, step {step}");
                        flying.push(job);
                    }
                }
                5 | 6 if !flying.is_empty() => {
                    let job = flying.swap_remove(dice(flying.len() as u64) as usize);
                    let what = [
                        Observed::Pending,
                        Observed::Pending,
                        Observed::Settled,
                        Observed::Failed,
                        Observed::Refused,
                        Observed::Unsent,
                    ];
                    schedule.observe(job, what[dice(6) as usize], now, now + TRIP);
                    schedule.observe(job, Observed::Settled, now, now + TRIP);
                }
                _ => match schedule.next(now) {
                    Next::Poll(job) => {
                        let is_odd = flying.contains(&job) || forgotten.contains(&job);
                        assert!(!is_odd, "seed {seed}, step {step}");
                        flying.push(job);
                    }
                    Next::Wait(wait) => {
                        assert!(!wait.is_zero());
                        now += wait;
                    }
                    Next::Done => assert!(schedule.is_empty()),
                },
            }
            nobody_is_forgotten(&schedule);
        }
        for job in flying.drain(..) {
            schedule.observe(job, Observed::Failed, now, now);
        }
        let polls = drive(&mut schedule, now + Duration::from_secs(1 << 17), |_| 0.0);
        assert!(schedule.is_empty() && !polls.is_empty(), "seed {seed}: {} are left", schedule.len());
    }
}

#[test]
fn a_straggler_is_looked_at_when_its_retries_are_due() {
    let (mut schedule, keys) = frontier(1000);
    // The tenth job fails at 24 s and is done in its second retry.
    let done = |job: JobKey| if job.0 == 9 { 24.0 + 150.0 + 1.0 } else { 2.4 * (job.0 + 1) as f64 };
    let polls = drive(&mut schedule, START + MS * 400_000, done);
    let looks: Vec<f64> = polls.iter().filter(|(_, job)| *job == keys[9]).map(|(at, _)| *at).collect();
    let found = looks.last().copied().unwrap_or_default();
    assert!((175.0..177.0).contains(&found), "{looks:?}");
    let between = |from: f64, to: f64| looks.iter().filter(|at| (from..to).contains(*at)).count();
    // In eight seconds more than in twenty others.
    assert!(between(54.0, 62.0) > between(100.0, 120.0), "{looks:?}");
}

#[test]
fn a_job_past_the_vendors_last_retry_is_overdue_and_still_followed() {
    let (mut schedule, keys) = frontier(20);
    let last = Frontier::RETRIES[9] as f64;
    let done = |job: JobKey| if job.0 == 3 { 50_000.0 } else { 2.4 * (job.0 + 1) as f64 };
    let before = START + Duration::from_secs_f64(last - 60.0);
    drive(&mut schedule, before, done);
    assert_eq!(schedule.overdue(before), []);
    let after = START + Duration::from_secs_f64(last + 60.0);
    assert_eq!(schedule.overdue(after), [keys[3]]);
    let mut polls = drive(&mut schedule, START + Duration::from_secs(49_000), done);
    polls.retain(|(at, _)| *at > last);
    let looks = polls.len();
    assert!((10..1000).contains(&looks), "{looks} looks in four hours");
    drive(&mut schedule, START + Duration::from_secs(51_000), done);
    assert!(schedule.is_empty());
}

#[test]
fn jobs_whose_order_is_another_are_found_all_the_same() {
    let (mut schedule, _) = frontier(200);
    let polls = drive(&mut schedule, START + MS * 10_000_000, |job| 2.4 * (200 - job.0) as f64);
    assert!(schedule.is_empty());
    assert!(polls.last().unwrap().0 < 550.0, "{:?}", polls.last());
}

#[test]
fn two_operations_share_the_calls() {
    let mut schedule = Frontier::new(Quota::default());
    for _ in 0..100 {
        schedule.add(0, Some(START));
        schedule.add(7, Some(START));
    }
    drive(&mut schedule, START + MS * 130_000, |job| 2.4 * ((job.0 & 0xFFFF_FFFF) + 1) as f64);
    assert!(schedule.len() < 2 * (100 - 50), "{} are open", schedule.len());
    assert!(schedule.lanes[0].open().abs_diff(schedule.lanes[7].open()) < 4);
}

#[test]
fn what_the_metrics_told_spares_looks() {
    let looks = |hint: bool| {
        let mut schedule = Frontier::new(Quota::default());
        schedule.add(0, Some(START));
        if hint {
            schedule.hint(0, 100, 25.0 / 60.0, START);
        }
        let polls = drive(&mut schedule, START + MS * 1_000_000, |_| 242.0);
        assert!(schedule.is_empty());
        (polls.len(), polls.last().unwrap().0 - 242.0)
    };
    let (without, with) = (looks(false), looks(true));
    assert!(with.0 * 2 < without.0 && with.1 < 2.0, "{with:?} {without:?}");
}

#[test]
fn the_eta_is_said_with_its_uncertainty() {
    let (mut schedule, _) = frontier(1000);
    assert_eq!(schedule.eta(START), None, "nothing was seen");
    let half = START + MS * 1_200_000;
    drive(&mut schedule, half, |job| 2.4 * (job.0 + 1) as f64);
    let eta = schedule.eta(half).unwrap();
    let off = eta.remaining.as_secs_f64() - 1200.0;
    assert!(off.abs() < 2.0 * eta.uncertainty.as_secs_f64() + 1.0, "{eta:?}");
    assert!(eta.uncertainty < eta.remaining / 4, "{eta:?}");
    // Nothing happens for ten minutes more: for how long, nobody knows.
    let later = schedule.eta(half + MS * 600_000).unwrap();
    assert!(later.uncertainty > MS * 590_000, "{later:?}");
}

#[test]
fn the_eta_of_a_job_counts_those_before_it() {
    let (mut schedule, keys) = frontier(1000);
    assert_eq!(schedule.eta_of(keys[0], START), None, "nothing was seen");
    let now = START + MS * 1_200_000;
    drive(&mut schedule, now, |job| 2.4 * (job.0 + 1) as f64);
    assert_eq!(schedule.eta_of(keys[10], now), None, "it is settled");
    assert_eq!(schedule.eta_of(JobKey(5000), now), None);
    assert_eq!(schedule.eta_of(JobKey(7 << 32), now), None);
    let seconds = |key: JobKey| schedule.eta_of(key, now).unwrap().remaining.as_secs_f64();
    for (place, expected) in [(500, 2.4), (599, 240.0), (999, 1200.0)] {
        assert!((seconds(keys[place]) - expected).abs() < 0.05 * expected + 3.0, "{}", seconds(keys[place]));
    }
    let (near, far) = (schedule.eta_of(keys[510], now).unwrap(), schedule.eta_of(keys[999], now).unwrap());
    assert!(near.uncertainty < far.uncertainty, "{near:?} {far:?}");
    assert_eq!(schedule.eta(now), Some(far), "all are known when the last one is");
}

#[test]
fn the_eta_is_not_sooner_than_the_calls_allow() {
    let (mut schedule, keys) = frontier(1000);
    let now = START + MS * 10_000;
    drive(&mut schedule, now, |_| 0.0);
    let eta = schedule.eta_of(keys[999], now).unwrap();
    let calls = MS * 200 * schedule.len() as u32;
    assert!(eta.remaining >= calls && eta.remaining < calls * 2, "{eta:?}");
}

#[test]
fn the_eta_of_a_straggler_is_its_next_retry() {
    let (mut schedule, keys) = frontier(1000);
    let done = |job: JobKey| if job.0 == 9 { 1e9 } else { 2.4 * (job.0 + 1) as f64 };
    drive(&mut schedule, START + MS * 300_000, done);
    // It failed at 24 s: its retries are due at 54 s, 174 s, 594 s and 1,494 s.
    let now = START + MS * 300_000;
    let eta = schedule.eta_of(keys[9], now).unwrap();
    assert!((290.0..305.0).contains(&eta.remaining.as_secs_f64()), "{eta:?}");
    assert!((890.0..910.0).contains(&eta.uncertainty.as_secs_f64()), "{eta:?}");
    // The vendor has given it up by its documents.
    drive(&mut schedule, START + MS * 50_000_000, done);
    assert_eq!(schedule.len(), 1);
    let now = START + MS * 50_000_000;
    let eta = schedule.eta_of(keys[9], now).unwrap();
    assert!(eta.remaining > MS * 40_000_000 && eta.uncertainty > MS * 40_000_000, "{eta:?}");
    assert_eq!(schedule.eta(now), Some(eta));
    let in_flight = (0..100_000).find_map(|n| match schedule.next(now + MS * n * 10) {
        Next::Poll(job) => Some(job),
        _ => None,
    });
    assert_eq!(in_flight, Some(keys[9]));
    assert_eq!(schedule.eta_of(keys[9], now), Some(eta), "in flight as well");
}

#[test]
fn the_metrics_alone_give_an_eta() {
    let (mut schedule, keys) = frontier(20);
    schedule.hint(0, 100, 0.5, START);
    let eta = schedule.eta(START).unwrap();
    assert!((239.0..241.0).contains(&eta.remaining.as_secs_f64()), "{eta:?}");
    assert!(
        (100.0..150.0).contains(&eta.uncertainty.as_secs_f64()),
        "a rate that was told is unsure: {eta:?}"
    );
    assert_eq!(schedule.eta_of(keys[19], START), Some(eta));
    let first = |now| schedule.eta_of(keys[0], now).unwrap().remaining.as_secs_f64();
    assert!((201.0..203.0).contains(&first(START)), "{}", first(START));
    let now = START + MS * 60_000;
    assert!((141.0..143.0).contains(&first(now)), "a minute less: {}", first(now));
    // It goes twice as fast as was told.
    let now = START + MS * 210_500;
    drive(&mut schedule, now, |job| 200.0 + (job.0 + 1) as f64);
    let eta = schedule.eta(now).unwrap();
    assert!((7.0..13.0).contains(&eta.remaining.as_secs_f64()), "{eta:?}");
}

#[test]
fn time_that_stands_still_or_goes_back_harms_nothing() {
    let (mut schedule, _) = frontier(10);
    drive(&mut schedule, START + MS * 10_000, |job| 2.4 * (job.0 + 1) as f64);
    let mut polls = 0;
    for n in 0..10_000 {
        match schedule.next(START - MS * n) {
            Next::Poll(_) => polls += 1,
            Next::Wait(wait) => assert!(!wait.is_zero()),
            Next::Done => panic!("jobs are open"),
        }
    }
    assert!(polls <= 10);
    assert!(matches!(schedule.next(Duration::MAX), Next::Poll(_) | Next::Wait(_)));
}

#[test]
fn a_queue_that_is_faster_than_was_told_is_not_found_out_a_minute_late() {
    // A hundred jobs are ahead. They take 240 s, and were said to take three times as long.
    let mut schedule = Frontier::new(Quota::default());
    schedule.add(0, Some(START));
    schedule.hint(0, 100, 25.0 / 180.0, START);
    let polls = drive(&mut schedule, START + MS * 3_600_000, |_| 240.0);
    let (known, calls) = (polls.last().unwrap().0, polls.len());
    assert!(schedule.is_empty() && known < 250.0, "known at {known} s");
    assert!(calls < 60, "{calls} calls");
}

#[test]
fn those_that_stay_are_known_soon_though_others_are_forgotten() {
    let (mut schedule, keys) = frontier(1000);
    let done = |job: JobKey| 2.4 * (job.0 + 1) as f64;
    drive(&mut schedule, START + MS * 60_000, done);
    // All but every tenth; they take their turns at the vendor all the same.
    keys.iter().filter(|key| key.0 % 10 != 9).for_each(|key| schedule.forget(*key));
    assert_eq!(schedule.len(), 98);
    let mut now = START + MS * 60_000;
    let mut late = Vec::new();
    while !schedule.is_empty() {
        match schedule.next(now) {
            Next::Poll(job) => {
                assert_eq!(job.0 % 10, 9);
                let at = (now - START).as_secs_f64();
                let is_done = done(job) <= at;
                let what = if is_done { Observed::Settled } else { Observed::Pending };
                late.extend(is_done.then_some(at - done(job)));
                schedule.observe(job, what, now, now + TRIP);
                now += TRIP;
            }
            Next::Wait(wait) => now += wait,
            Next::Done => break,
        }
    }
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    assert!(late.len() == 98 && mean < 1.5, "known {mean} s after the fact");
}

#[test]
fn who_is_forgotten_was_not_left_behind() {
    let (mut schedule, keys) = frontier(100);
    let done = |job: JobKey| 2.4 * (job.0 + 1) as f64;
    drive(&mut schedule, START + MS * 60_000, done);
    schedule.lanes[0].trail().resumed(30.0);
    keys.iter().filter(|key| key.0 % 2 == 0).for_each(|key| schedule.forget(*key));
    drive(&mut schedule, START + MS * 120_000, done);
    assert!(!schedule.lanes[0].trail().is_delayed(), "one after the other was done");
}

#[test]
fn what_was_forgotten_takes_no_room() {
    let (mut schedule, mut in_flight) = (Frontier::new(Quota::default()), 0);
    for n in 0..100_000 {
        let job = schedule.add(0, Some(START));
        in_flight += u32::from(schedule.next(START + MS * 1000 * n) == Next::Poll(job));
        schedule.forget(job);
        assert_eq!(schedule.len(), 0);
    }
    assert!(in_flight > 10_000);
    assert!(schedule.in_flight.is_empty() && schedule.lanes[0].room() < 100);
}
