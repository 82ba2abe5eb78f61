//! The table against a naive model of it: a map that is searched from end to end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Prefixes close enough together to meet: of one and of two networks of 16 bits, wider ones, and IPv6.
fn prefix() -> impl Strategy<Value = Prefix> {
    let near = (0u8..2, 0u8..8, prop_oneof![4 => 29u8..=32, 1 => 16u8..=28]);
    let near = near.prop_map(|(second, last, length)| ([192, second, 2, last].into(), length));
    let wide = (0u8..4, 8u8..=16).prop_map(|(second, length)| ([192, second, 0, 0].into(), length));
    let six = (0u16..8, 124u8..=128)
        .prop_map(|(last, length)| ([0x2001, 0xdb8, 0, 0, 0, 0, 0, last].into(), length));
    prop_oneof![6 => near, 1 => wide, 2 => six]
        .prop_map(|(address, length)| Prefix::new(address, length).unwrap())
}

/// Some fit into the packed form, some do not.
fn held() -> impl Strategy<Value = Held> {
    let second = prop_oneof![Just(-1i64), 0i64..8, Just(1 << 33)];
    let until = prop::option::of(second.clone());
    (0u32..3, second, until, prop_oneof![1u32..4, Just(300)]).prop_map(|(jail, since, until, count)| {
        let at = |second| Timestamp::from_secs(1_577_836_800 + second);
        Held { jail: JailId(jail), since: at(since), until: until.map(at), count }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Set(Prefix, Held),
    Remove(Prefix, u32),
    End(i64),
    Fill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (prefix(), held()).prop_map(|(prefix, held)| Step::Set(prefix, held)),
        3 => (prefix(), 0u32..3).prop_map(|(prefix, jail)| Step::Remove(prefix, jail)),
        1 => (0i64..9).prop_map(Step::End),
        1 => Just(Step::Fill),
    ]
}

type Model = BTreeMap<(Prefix, JailId), Held>;

fn take(step: &Step, table: &mut BanTable, model: &mut Model) {
    match *step {
        Step::Set(prefix, held) => {
            table.set(prefix, held);
            model.insert((prefix, held.jail), held);
        }
        Step::Remove(prefix, jail) => {
            let jail = JailId(jail);
            assert_eq!(table.remove(prefix, jail), model.remove(&(prefix, jail)));
        }
        Step::End(second) => end(Timestamp::from_secs(1_577_836_800 + second), table, model),
        Step::Fill => *table = filled(table),
    }
}

/// Another table with the same bans.
fn filled(table: &BanTable) -> BanTable {
    let mut filling = Filling::new(BanTable::default());
    for jail in table.jails() {
        filling.jail(&jail.name);
    }
    table.iter().for_each(|(prefix, held)| filling.push(prefix, held));
    let filled = filling.finish();
    let mut ends: BTreeMap<Prefix, Timestamp> = BTreeMap::new();
    for (place, until) in
        table.iter().filter_map(|(prefix, held)| Some((BanTable::place_of(prefix), held.until?)))
    {
        ends.entry(place).and_modify(|earliest| *earliest = until.min(*earliest)).or_insert(until);
    }
    assert!(filled.ends().eq(ends));
    filled
}

fn end(now: Timestamp, table: &mut BanTable, model: &mut Model) {
    let places: BTreeSet<Prefix> = model.keys().map(|(prefix, _)| BanTable::place_of(*prefix)).collect();
    for place in places {
        let of_place = model.iter().filter(|((prefix, _), _)| BanTable::place_of(*prefix) == place);
        assert_eq!(table.next_end(place), of_place.filter_map(|(_, held)| held.until).min());
        for (prefix, held) in table.take_ended(place, now) {
            assert!(!held.in_force(now));
            assert_eq!(model.remove(&(prefix, held.jail)), Some(held));
        }
    }
    assert!(model.values().all(|held| held.in_force(now)), "what is over is found at some place");
}

fn sorted(found: impl Iterator<Item = (Prefix, Held)>) -> Vec<(Prefix, Held)> {
    let mut found: Vec<(Prefix, Held)> = found.collect();
    found.sort_by_key(|(prefix, held)| (*prefix, held.jail));
    found
}

proptest! {
    #[test]
    fn the_table_holds_what_the_model_holds(
        steps in prop::collection::vec(step(), 0..40),
        asked in prop::collection::vec(prefix(), 8),
    ) {
        let mut table = BanTable::default();
        for jail in ["a", "b", "c"] {
            table.jail(&jail.into());
        }
        let mut model = Model::new();
        for step in &steps {
            let (before, held) = (table.clone(), sorted(table.iter()));
            take(step, &mut table, &mut model);
            prop_assert_eq!(sorted(before.iter()), held, "a version stays as it is");
        }
        prop_assert_eq!(table.len(), model.len());
        prop_assert_eq!(table.is_empty(), model.is_empty());
        let all = || model.iter().map(|((prefix, _), held)| (*prefix, *held));
        prop_assert_eq!(sorted(table.iter()), all().collect::<Vec<_>>());
        for prefix in asked {
            let covering = all().filter(|(held, _)| held.covers(prefix));
            prop_assert_eq!(sorted(table.covering(prefix).into_iter()), covering.collect::<Vec<_>>(), "around {}", prefix);
            let within = all().filter(|(held, _)| prefix.covers(*held));
            prop_assert_eq!(sorted(table.within(prefix)), within.collect::<Vec<_>>(), "inside {}", prefix);
            for jail in (0..3).map(JailId) {
                prop_assert_eq!(table.get(prefix, jail), model.get(&(prefix, jail)).copied());
            }
        }
    }
}

#[test]
fn jails_keep_their_numbers_and_counts() {
    let mut table = BanTable::default();
    let (one, two) = (table.jail(&"one".into()), table.jail(&"two".into()));
    assert_eq!(table.jail(&"one".into()), one);
    let held = |jail| Held { jail, since: Timestamp::default(), until: None, count: 1 };
    let host: Prefix = "192.0.2.1".parse().unwrap();
    table.set(host, held(one));
    table.set(host, held(two));
    table.set(host, held(two));
    table.set("2001:db8::/64".parse().unwrap(), held(two));
    let counts: Vec<(&str, usize)> = table.jails().iter().map(|jail| (&*jail.name, jail.bans())).collect();
    assert_eq!(counts, [("one", 1), ("two", 2)]);
    table.remove(host, two);
    table.remove(host, two);
    assert_eq!(table.jails()[two.index()].bans(), 1);
}
