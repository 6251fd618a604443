use super::bytes::VERSION;
use super::*;
use crate::builtin::Quota;

const S: Duration = Duration::from_secs(1);

fn rules(calls: u32) -> SlotRules {
    SlotRules::new(Quota::new(calls, S * 5)).unwrap()
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn take(table: &mut SlotTable, rules: &SlotRules, waiter: u64, at: Duration) -> Result<Permit, Duration> {
    ask(table, rules, waiter, CallClass::Poll, at)
}

fn ask(
    table: &mut SlotTable,
    rules: &SlotRules,
    waiter: u64,
    class: CallClass,
    at: Duration,
) -> Result<Permit, Duration> {
    match table.try_acquire(rules, waiter, class, at) {
        Acquired::Granted(permit) => Ok(permit),
        Acquired::RetryAfter(wait) => Err(wait),
    }
}

/// A table that has seen `count` answers after `trip` each, one slot of it used again and again. The time then.
fn after_answers(table: &mut SlotTable, rules: &SlotRules, count: u32, trip: Duration) -> Duration {
    let mut now = S;
    for _ in 0..count {
        let permit = loop {
            match take(table, rules, 1, now) {
                Ok(permit) => break permit,
                Err(wait) => now += wait,
            }
        };
        now += trip;
        table.settle(rules, permit, Settlement::Answered, now);
    }
    now
}

#[test]
fn the_margin_shortens_what_was_held_before_it_was_known_but_not_an_unknown_past() {
    let (rules, mut table) = (rules(50), SlotTable::new());
    let mut permits: Vec<Permit> = (0..50).map(|_| take(&mut table, &rules, 1, S).unwrap()).collect();
    for permit in permits.drain(..) {
        table.settle(&rules, permit, Settlement::Answered, S + ms(80));
    }
    assert_eq!(take(&mut table, &rules, 1, S * 6), Err(ms(1)));
    permits.extend((0..25).map(|_| take(&mut table, &rules, 1, S * 6 + ms(1)).unwrap()));
    table.hold_all(&rules, S * 6 + ms(2));
    for permit in permits {
        table.settle(&rules, permit, Settlement::Answered, S * 6 + ms(82));
    }
    assert_eq!(take(&mut table, &rules, 1, S * 11), Err(ms(3)));
}

#[test]
fn the_margin_comes_after_enough_answers_and_goes_with_a_refusal() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let now = after_answers(&mut table, &rules, 24, ms(80));
    assert_eq!(take(&mut table, &rules, 1, now), Err(ms(5001)), "too few answers");
    let now = after_answers(&mut table, &rules, 1, ms(80)).max(now);
    assert_eq!(take(&mut table, &rules, 1, now), Err(ms(5001 - 80)));

    let strict = rules.strict(true);
    assert_eq!(table.margin(&strict), Duration::ZERO);
    assert_eq!(take(&mut table.clone(), &strict, 1, now), Err(ms(5001)));
    let mut shared = table.clone();
    take(&mut shared, &strict, 1, now).unwrap_err();
    assert_eq!(take(&mut shared, &rules, 1, now), Err(ms(5001)), "one who is strict makes all strict");

    let permit = take(&mut table, &rules, 1, now + S * 6).unwrap();
    let refused_at = now + S * 7;
    table.settle(&rules, permit, Settlement::Refused { retry_after: None }, refused_at);
    assert_eq!(table.margin(&rules), Duration::ZERO);
    let mut at = refused_at;
    for _ in 0..50 {
        at += S * 6;
        let permit = take(&mut table, &rules, 1, at).unwrap();
        let careful = table.margin(&rules) == Duration::ZERO;
        assert!(careful || at >= refused_at + S * 60, "careful for a minute: {:?}", at - refused_at);
        table.settle(&rules, permit, Settlement::Answered, at + ms(80));
    }
    assert_eq!(table.margin(&rules), ms(80), "and then not any more");
}

#[test]
fn after_a_refusal_enough_answers_are_not_enough_for_a_while() {
    let rules = rules(25);
    let mut table = SlotTable::new();
    let mut now = S;
    let window_of_answers = |table: &mut SlotTable, now: Duration| {
        let permits: Vec<Permit> = (0..25).map(|_| take(table, &rules, 1, now).unwrap()).collect();
        for permit in permits {
            table.settle(&rules, permit, Settlement::Answered, now + ms(80));
        }
        now + S * 6
    };
    now = window_of_answers(&mut table, now);
    assert_eq!(table.margin(&rules), ms(80));
    let permit = take(&mut table, &rules, 1, now).unwrap();
    table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now);
    let refused_at = now;
    now += S * 6;
    while now < refused_at + S * 60 {
        now = window_of_answers(&mut table, now);
        let expected = if table.now < refused_at + S * 60 { Duration::ZERO } else { ms(80) };
        assert_eq!(table.margin(&rules), expected, "{:?} after the refusal", table.now - refused_at);
    }
    window_of_answers(&mut table, now);
    assert_eq!(table.margin(&rules), ms(80));
}

#[test]
fn the_margin_is_below_the_least_round_trip_by_three_times_the_gap() {
    let mut trips = RoundTrips::default();
    for trip in [90, 100, 84, 82, 200, 80, 86].into_iter().chain(std::iter::repeat_n(300, 18)) {
        trips.add(ms(trip));
    }
    assert_eq!(trips.least, [80, 82, 84, 86, 90].map(ms));
    assert_eq!(trips.margin(S), ms(80 - 30));
    let wide = RoundTrips {
        answers: 99,
        measured: 99,
        least: [10, 20, 30, 40, 50].map(ms),
        ..RoundTrips::default()
    };
    assert_eq!(wide.margin(S), Duration::ZERO);
}

#[test]
fn submits_and_questions_get_their_shares_and_all_of_it_if_alone() {
    // However many wait of each kind: whoever is served comes again as the last of its kind.
    for (percent, submitters, submits_of_20) in
        [(50, 10, 10), (80, 10, 16), (20, 10, 4), (95, 10, 19), (20, 1, 4), (50, 1, 10)]
    {
        let rules = rules(1).submit_share(percent).unwrap();
        let mut table = SlotTable::new();
        let mut now = S;
        let permit = take(&mut table, &rules, 0, now).unwrap();
        table.settle(&rules, permit, Settlement::Answered, now);
        let mut callers: Vec<(u64, CallClass)> = (1..=submitters)
            .map(|id| (id, CallClass::Submit))
            .chain((11..=20).map(|id| (id, CallClass::Poll)))
            .collect();
        let mut served = Vec::new();
        while served.len() < 40 {
            now += ms(10);
            let mut turn = None;
            for (place, (id, class)) in callers.iter().enumerate() {
                if let Ok(permit) = ask(&mut table, &rules, *id, *class, now) {
                    table.settle(&rules, permit, Settlement::Answered, now);
                    turn = Some(place);
                }
            }
            if let Some(place) = turn {
                let caller = callers.remove(place);
                served.push(caller.1);
                callers.push(caller);
            }
        }
        let submits = served[..20].iter().filter(|class| **class == CallClass::Submit).count();
        assert!(submits.abs_diff(submits_of_20) <= 1, "{percent}, {submitters}: {submits} of 20");
    }
    let rules = rules(2).submit_share(1).unwrap();
    let mut table = SlotTable::new();
    assert!(ask(&mut table, &rules, 1, CallClass::Submit, S).is_ok());
    assert!(ask(&mut table, &rules, 1, CallClass::Submit, S).is_ok(), "nobody else wants it");
}

#[test]
fn who_gives_up_again_and_again_does_not_push_its_class_back() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 0, S).unwrap();
    table.settle(&rules, permit, Settlement::Answered, S);
    take(&mut table, &rules, 1, S).unwrap_err();
    for _ in 0..100 {
        ask(&mut table, &rules, 2, CallClass::Submit, S).unwrap_err();
        table.leave(2);
    }
    ask(&mut table, &rules, 3, CallClass::Submit, S).unwrap_err();
    take(&mut table, &rules, 4, S).unwrap_err();
    let order: Vec<u64> = table.waiting.iter().map(|waiter| waiter.id).collect();
    assert_eq!(order, [1, 3, 4]);
}

#[test]
fn the_slot_of_a_caller_that_died_ends_after_the_longest_call_and_a_window() {
    let rules = rules(1).longest_call(S * 10);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S).unwrap();
    let ends = S + S * 15 + GUARD;
    assert!(take(&mut table, &rules, 2, ends - ms(1)).is_err());
    assert!(take(&mut table, &rules, 2, ends).is_ok());
    // It was not dead after all: its call counts from now.
    table.settle(&rules, permit, Settlement::Answered, ends + S);
    let second = Permit(nanos(ends));
    table.settle(&rules, second, Settlement::NotSent, ends + S * 2);
    assert_eq!(take(&mut table, &rules, 3, ends + S * 2), Err(S * 4 + GUARD), "the first one's");
}

#[test]
fn an_unknown_past_holds_every_slot_for_a_window() {
    let rules = rules(3);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S * 100).unwrap();
    take(&mut table, &rules, 1, S * 100).unwrap();
    table.hold_all(&rules, S * 7);
    assert_eq!(take(&mut table, &rules, 2, S * 7), Err(ms(5001)));
    // Those in flight are still known, by the new clock.
    table.settle(&rules, permit, Settlement::Answered, S * 8);
    assert_eq!(take(&mut table, &rules, 2, S * 12 + ms(1)).map(drop), Ok(()));
    assert_eq!(take(&mut table, &rules, 2, S * 12 + ms(1)), Err(S));
}

#[test]
fn who_waited_by_another_clock_holds_nobody_back() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    take(&mut table, &rules, 1, S * 1000).unwrap();
    take(&mut table, &rules, 2, S * 1000).unwrap_err();
    table.in_flight.clear();
    table.hold_all(&rules, S * 7);
    assert!(take(&mut table, &rules, 3, S * 12 + GUARD).is_ok());
}

#[test]
fn a_permit_of_a_lost_table_means_nothing_in_another() {
    let rules = rules(1);
    let old = take(&mut SlotTable::new(), &rules, 1, S * 10).unwrap();
    let mut table = SlotTable::new();
    let new = take(&mut table, &rules, 1, S * 11).unwrap();
    assert_ne!(old, new);
    table.settle(&rules, old, Settlement::NotSent, S * 12);
    assert!(take(&mut table, &rules, 1, S * 12).is_err(), "the new call is still in flight");
}

#[test]
fn calls_that_nobody_knew_of_fill_no_more_than_the_slots() {
    let rules = rules(2);
    let mut table = SlotTable::new();
    for number in 1..100 {
        table.settle(&rules, Permit(number), Settlement::Answered, S * number as u32);
    }
    assert_eq!(table.held_since, [S * 98, S * 99], "the last ones count");

    // Two whose slots had ended were not dead, and two more are out.
    let rules = rules.longest_call(S);
    let mut table = SlotTable::new();
    let late = [take(&mut table, &rules, 1, S).unwrap(), take(&mut table, &rules, 1, S).unwrap()];
    let new = [take(&mut table, &rules, 1, S * 8).unwrap(), take(&mut table, &rules, 1, S * 8).unwrap()];
    late.into_iter().for_each(|permit| table.settle(&rules, permit, Settlement::Answered, S * 9));
    new.into_iter().for_each(|permit| table.settle(&rules, permit, Settlement::NotSent, S * 9));
    assert!(take(&mut table, &rules, 1, S * 9).is_err(), "two were answered just now");
}

#[test]
fn a_call_that_had_to_connect_first_teaches_no_round_trip() {
    let rules = rules(30);
    let mut table = SlotTable::new();
    let permits: Vec<Permit> = (0..30).map(|_| take(&mut table, &rules, 1, S).unwrap()).collect();
    for permit in permits {
        table.settle(&rules, permit, Settlement::AnsweredOnNewConnection, S + ms(240));
    }
    assert_eq!(table.margin(&rules), Duration::ZERO);
    assert_eq!(take(&mut table, &rules, 1, S + ms(240)), Err(ms(5001)), "and holds its slot like any other");
    for after in 1..=16 {
        let now = S * 10 * after;
        let permit = take(&mut table, &rules, 1, now).unwrap();
        assert_eq!(table.margin(&rules), if after > 15 { ms(80) } else { Duration::ZERO }, "{after}");
        table.settle(&rules, permit, Settlement::Answered, now + ms(80));
    }
}

#[test]
fn what_is_held_for_longer_stays_so_when_the_past_is_unknown() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S * 10).unwrap();
    table.settle(&rules, permit, Settlement::InDoubt, S * 10);
    table.hold_all(&rules, S * 2);
    assert_eq!(take(&mut table.clone(), &rules, 1, S * 2), Err(ms(10_001)), "a call in doubt");

    let permit = take(&mut table, &rules, 1, S * 20).unwrap();
    table.settle(&rules, permit, Settlement::Refused { retry_after: Some(S * 60) }, S * 20);
    table.hold_all(&rules, S * 3);
    assert_eq!(take(&mut table.clone(), &rules, 1, S * 3), Err(S * 60), "a server's advice");

    let patient = rules.longest_call(S * 600);
    take(&mut table, &patient, 1, S * 100).unwrap();
    table.hold_all(&rules, S * 4);
    assert!(take(&mut table, &rules, 2, S * 600).is_err(), "the lease that another program gave");
}

#[test]
fn what_is_in_flight_is_waited_for_until_its_soonest_end() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let now = after_answers(&mut table, &rules, 30, ms(80)) + S * 6;
    take(&mut table, &rules, 1, now).unwrap();
    // Its answer comes 80 ms after its sending at the soonest, and the margin is as much.
    assert_eq!(take(&mut table, &rules, 2, now), Err(ms(5001)));
    assert_eq!(take(&mut table, &rules, 2, now + ms(100)), Err(ms(4921)));
}

#[test]
fn after_a_refusal_the_margin_is_learned_anew() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let now = after_answers(&mut table, &rules, 30, ms(80)) + S * 6;
    let permit = take(&mut table, &rules, 1, now).unwrap();
    table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now);
    let later = now + S * 100;
    let permit = take(&mut table, &rules, 1, later).unwrap();
    table.settle(&rules, permit, Settlement::Answered, later + ms(80));
    assert_eq!(take(&mut table, &rules, 1, later + ms(80)), Err(ms(5001)));
}

#[test]
fn the_first_1024_who_wait_are_kept_in_bytes() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    for waiter in 0..=1100 {
        let _ = take(&mut table, &rules, waiter, S);
    }
    let read = SlotTable::from_bytes(&table.to_bytes(&rules), &rules).unwrap();
    assert_eq!(read.waiting, table.waiting[..1024]);
}

#[test]
fn after_a_refusal_nobody_is_told_to_come_before_its_end() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S).unwrap();
    table.settle(&rules, permit, Settlement::Refused { retry_after: Some(S * 30) }, S);
    assert_eq!(take(&mut table, &rules, 1, S), Err(S * 30), "its slot ends long before");
}

#[test]
fn a_round_trip_ends_when_its_answer_came_not_when_others_asked() {
    let rules = rules(2);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S).unwrap();
    take(&mut table, &rules, 2, S * 2).unwrap();
    table.settle(&rules, permit, Settlement::Answered, S + ms(80));
    assert_eq!(table.trips.seen(), [ms(80)]);
}

#[test]
fn time_that_goes_back_stands_still() {
    let rules = rules(1);
    let mut table = SlotTable::new();
    let permit = take(&mut table, &rules, 1, S * 10).unwrap();
    table.settle(&rules, permit, Settlement::Answered, S * 2);
    assert_eq!(take(&mut table, &rules, 1, S * 3), Err(ms(5001)));
    assert!(take(&mut table, &rules, 1, S * 15 + GUARD).is_ok());
}

#[test]
fn the_snapshot_tells_what_a_newcomer_would_be_told() {
    let rules = rules(2);
    let mut table = SlotTable::new();
    let idle = Snapshot { used: 0, free: 2, next_free_in: Duration::ZERO, waiting: 0, refused: 0 };
    assert_eq!(table.snapshot(&rules, S), idle);
    assert!(table.is_idle(&rules, S));
    let first = take(&mut table, &rules, 1, S).unwrap();
    let second = take(&mut table, &rules, 1, S).unwrap();
    table.settle(&rules, first, Settlement::Answered, S * 2);
    take(&mut table, &rules, 3, S * 2).unwrap_err();
    let full = table.snapshot(&rules, S * 2);
    assert_eq!((full.used, full.free, full.waiting, full.refused), (2, 0, 1, 0));
    assert_eq!(full.next_free_in, take(&mut table.clone(), &rules, 4, S * 2).unwrap_err());
    table.settle(&rules, second, Settlement::Refused { retry_after: Some(S * 30) }, S * 2);
    let paused = table.snapshot(&rules, S * 8);
    assert_eq!((paused.used, paused.free, paused.refused), (0, 2, 1));
    assert_eq!(paused.next_free_in, S * 24);
    assert!(!table.is_idle(&rules, S * 8) && table.is_idle(&rules, S * 40));
}

#[test]
fn bytes_keep_the_table_and_anything_else_is_refused() {
    let rules = rules(5);
    let mut table = SlotTable::new();
    for _ in 0..10 {
        after_answers(&mut table, &rules, 1, ms(80));
        assert_eq!(SlotTable::from_bytes(&table.to_bytes(&rules), &rules).as_ref(), Ok(&table));
    }
    let now = after_answers(&mut table, &rules, 30, ms(80));
    let permits: Vec<Permit> = (0..4).map(|_| take(&mut table, &rules, 1, now + S * 6).unwrap()).collect();
    for permit in permits.into_iter().skip(2) {
        table.settle(&rules, permit, Settlement::Refused { retry_after: None }, now + S * 7);
    }
    ask(&mut table, &rules, 1, CallClass::Submit, now + S * 7).unwrap_err();
    take(&mut table, &rules, 2, now + S * 7).unwrap_err();
    let bytes = table.to_bytes(&rules);
    assert_eq!(SlotTable::from_bytes(&bytes, &rules), Ok(table));

    let other = SlotRules::new(Quota::new(6, S * 5)).unwrap();
    let quota = NotATable::OtherQuota(Quota::new(5, S * 5));
    assert_eq!(SlotTable::from_bytes(&bytes, &other), Err(quota));
    for length in 0..bytes.len() {
        assert_eq!(SlotTable::from_bytes(&bytes[..length], &rules), Err(NotATable::Damaged), "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(SlotTable::from_bytes(&longer, &rules), Err(NotATable::Damaged));
    let mut newer = bytes.clone();
    newer[0] = VERSION + 1;
    assert_eq!(SlotTable::from_bytes(&newer, &rules), Err(NotATable::Damaged));
    // A length that lies must not be believed; and whatever was read must be usable.
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] = !wrong[at];
        if let Ok(mut table) = SlotTable::from_bytes(&wrong, &rules) {
            let _ = table.try_acquire(&rules, 9, CallClass::Submit, now);
            let _ = table.snapshot(&rules, now);
            table.settle(&rules, Permit(1), Settlement::InDoubt, now);
        }
    }
}
