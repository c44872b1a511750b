use std::collections::BTreeSet;

use super::*;

const BOUNDS: Bounds = Bounds { wanted: 2, most: 5, connections: 3 };

struct Scene {
    placement: Placement,
    /// How many processes there were.
    begun: u64,
    now: Instant,
}

fn owner(user: &str) -> Owner {
    Owner::signed_in(user)
}

impl Scene {
    fn new(bounds: Bounds) -> Self {
        Self { placement: Placement::new(bounds), begun: 0, now: Instant::now() }
    }

    fn begin(&mut self, user: &str, apart: bool) -> Result<Place, Full> {
        let new = ProcessNumber(self.begun + 1);
        let placed = match apart {
            true => self.placement.place_apart(&owner(user), new),
            false => self.placement.place(&owner(user), new),
        };
        self.begun += u64::from(placed == Ok(Place::New(new)));
        placed
    }

    /// Places connections of these users, and says in which processes.
    fn place<const N: usize>(&mut self, users: [&str; N]) -> [u64; N] {
        users.map(|user| self.begin(user, false).unwrap().number().0)
    }

    fn place_apart<const N: usize>(&mut self, users: [&str; N]) -> [u64; N] {
        users.map(|user| self.begin(user, true).unwrap().number().0)
    }

    fn leave(&mut self, number: u64, user: &str) -> bool {
        self.placement.leave(ProcessNumber(number), &owner(user), self.now)
    }

    fn remove(&mut self, number: u64) -> Vec<String> {
        let owners = self.placement.remove(ProcessNumber(number), self.now);
        owners.iter().map(|owner| owner.user.to_string()).collect()
    }
}

#[test]
fn a_user_has_a_process_of_their_own_and_all_their_connections_are_there() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.begin("ada", false), Ok(Place::New(ProcessNumber(1))));
    assert_eq!(scene.begin("bob", false), Ok(Place::New(ProcessNumber(2))));
    assert_eq!(scene.begin("ada", false), Ok(Place::In(ProcessNumber(1))));
    assert_eq!(scene.place(["bob", "ada"]), [2, 1]);
    assert_eq!((scene.placement.in_use(), scene.placement.connections()), (2, 5));
}

#[test]
fn when_there_are_as_many_as_wanted_the_one_with_the_fewest_users_is_shared() {
    let mut scene = Scene::new(Bounds { connections: 9, ..BOUNDS });
    assert_eq!(scene.place(["ada", "ada", "ada", "bob"]), [1, 1, 1, 2]);
    // One user each: the one with fewer connections. Then the one with fewer users.
    assert_eq!(scene.place(["cy", "di"]), [2, 1]);
}

#[test]
fn when_all_are_full_there_is_one_more_and_never_more_than_the_most() {
    let mut scene = Scene::new(BOUNDS);
    let full = ["ada", "ada", "ada", "bob", "bob", "bob", "ada", "bob", "cy"];
    assert_eq!(scene.place(full), [1, 1, 1, 2, 2, 2, 3, 3, 3]);
    assert_eq!(scene.place(["ada", "ada", "ada", "ada", "ada", "ada"]), [4, 4, 4, 5, 5, 5]);
    assert_eq!(scene.begin("ada", false), Err(Full));
    assert_eq!(scene.begin("eve", true), Err(Full));
    scene.leave(2, "bob");
    assert_eq!(scene.place(["di"]), [2]);
}

#[test]
fn an_empty_process_is_kept_for_its_last_user_and_nobody_else() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.place(["ada", "ada"]), [1, 1]);
    assert!(!scene.leave(1, "ada"));
    assert!(scene.leave(1, "ada"));
    assert_eq!(scene.place(["bob", "cy", "ada"]), [2, 3, 1]);
    assert!(!scene.placement.close_if_empty(ProcessNumber(1)), "ada came back");
    assert!(scene.leave(1, "ada"));
    assert!(scene.placement.close_if_empty(ProcessNumber(1)));
    let back = scene.place(["ada"]);
    assert_ne!(back, [1], "it is ending");
}

#[test]
fn an_empty_process_is_not_shared_even_when_there_are_as_many_as_wanted() {
    let mut scene = Scene::new(Bounds { wanted: 1, ..BOUNDS });
    assert_eq!(scene.place(["ada"]), [1]);
    scene.leave(1, "ada");
    assert_eq!(scene.place(["bob", "cy"]), [2, 2]);
}

#[test]
fn the_process_that_has_been_empty_for_longest_gives_way() {
    let mut scene = Scene::new(Bounds { wanted: 3, most: 3, ..BOUNDS });
    assert_eq!(scene.place(["ada", "bob", "cy"]), [1, 2, 3]);
    for (number, user) in [(2, "bob"), (1, "ada")] {
        scene.now += Duration::from_secs(1);
        scene.leave(number, user);
    }
    assert_eq!(scene.begin("di", false), Err(Full));
    assert_eq!(scene.placement.close_an_empty_one(), Some(ProcessNumber(2)));
    assert_eq!(scene.place(["di", "ada"]), [4, 1]);
    assert_eq!(scene.placement.close_an_empty_one(), None, "somebody is in each");
}

#[test]
fn no_more_end_at_once_than_there_may_be() {
    let mut scene = Scene::new(Bounds { wanted: 2, most: 2, ..BOUNDS });
    for number in 1..=2 {
        assert_eq!(scene.place(["eve"]), [number]);
        scene.leave(number, "eve");
        scene.placement.close_an_empty_one();
    }
    assert_eq!(scene.begin("ada", false), Err(Full));
    scene.remove(1);
    assert_eq!(scene.place(["ada"]), [3]);
}

#[test]
fn a_closed_process_takes_nobody() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.place(["ada"]), [1]);
    scene.placement.close(ProcessNumber(1));
    assert_eq!(scene.place(["ada"]), [2]);
}

#[test]
fn who_is_placed_apart_is_with_nobody_else() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.place(["ada", "bob", "eve"]), [1, 2, 1]);
    // Not in the one that she is in already, and as many as wanted are no reason to share.
    assert_eq!(scene.place_apart(["eve", "eve"]), [3, 3]);
    assert_eq!(scene.place(["cy", "di", "flo", "gus"]), [2, 1, 2, 4]);
    // A second one when the first is full.
    assert_eq!(scene.place_apart(["eve", "eve"]), [3, 5]);
}

#[test]
fn who_is_not_placed_apart_any_more_goes_where_others_do() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.place_apart(["eve"]), [1]);
    assert_eq!(scene.place(["ada", "eve"]), [2, 2]);
}

#[test]
fn users_at_one_address_are_placed_apart_from_each_other_too() {
    let mut placement = Placement::new(BOUNDS);
    let [one, two] = ["browser:1", "browser:2"].map(|user| Owner::at_address(user, "address:::1"));
    for (number, owner) in [(1, &one), (2, &two)] {
        let number = ProcessNumber(number);
        assert_eq!(placement.place_apart(owner, number), Ok(Place::New(number)));
    }
    assert_eq!(placement.remove(ProcessNumber(1), Instant::now()), [one]);
}

#[test]
fn who_left_shortly_before_a_process_ended_is_named_too() {
    let mut scene = Scene::new(BOUNDS);
    assert_eq!(scene.place(["ada", "bob", "eve", "flo"]), [1, 2, 1, 2]);
    scene.leave(1, "eve");
    scene.now += REMEMBERED / 2;
    scene.leave(2, "flo");
    scene.now += REMEMBERED / 2;
    assert_eq!(scene.remove(2), ["bob", "flo"]);
    assert_eq!(scene.remove(1), ["ada"]);
    assert_eq!(scene.remove(1), [""; 0]);
}

#[test]
fn who_left_is_remembered_within_bounds() {
    let mut scene = Scene::new(Bounds { connections: 100, wanted: 1, most: 1 });
    scene.place(["ada"]);
    for user in 0..1000 {
        let user = user.to_string();
        assert_eq!(scene.place([&user]), [1]);
        scene.leave(1, &user);
    }
    assert_eq!(scene.remove(1).len(), 1 + MOST_REMEMBERED);
}

#[test]
fn a_host_has_as_many_processes_as_cores_and_memory_allow() {
    const GB: u64 = 1 << 30;
    for (wanted, cores, memory, sessions, expected) in [
        (None, 2, 4 * GB, 200, (8, 33)),
        (None, 8, 2 * GB, 200, (8, 33)),
        (None, 1, GB / 8, 10, (2, 4)),
        (None, 128, 1024 * GB, 200, (64, 128)),
        (None, 4, 16 * GB, 0, (16, 141)),
        (Some(1), 4, 16 * GB, 200, (1, 26)),
        (Some(0), 4, 16 * GB, 8, (1, 2)),
    ] {
        let bounds = Bounds::for_host(wanted, cores, memory, sessions);
        assert_eq!((bounds.wanted, bounds.most), expected, "{cores} cores, {memory} bytes");
        assert!(bounds.most * bounds.connections >= sessions);
    }
}

#[test]
fn bounds_of_zero_are_one() {
    let mut scene = Scene::new(Bounds { wanted: 0, most: 0, connections: 0 });
    assert_eq!(scene.place(["ada"]), [1]);
    assert_eq!(scene.begin("ada", false), Err(Full));
}

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A place that was taken: where, by whom, and whether apart.
type Taken = (ProcessNumber, usize, bool);

fn check(taken: &[Taken], bounds: Bounds, placement: &Placement) {
    let numbers: BTreeSet<_> = taken.iter().map(|(number, ..)| *number).collect();
    for number in &numbers {
        let here: Vec<_> = taken.iter().filter(|(at, ..)| at == number).collect();
        assert!(here.len() <= bounds.connections, "{here:?}");
        let users: BTreeSet<_> = here.iter().map(|(_, user, _)| user).collect();
        let is_apart = here.iter().any(|(.., apart)| *apart);
        assert!(!is_apart || users.len() == 1, "{here:?}");
    }
    assert_eq!(placement.in_use(), numbers.len());
    assert_eq!(placement.connections(), taken.len());
    assert!(placement.processes.len() <= bounds.most);
}

#[test]
fn whatever_happens_no_bound_is_broken_and_who_is_apart_is_alone() {
    for seed in 1..=200 {
        let mut numbers = Numbers(seed);
        let bounds = Bounds {
            wanted: 1 + numbers.below(4),
            most: 4 + numbers.below(4),
            connections: 1 + numbers.below(4),
        };
        let mut placement = Placement::new(bounds);
        let (mut taken, now) = (Vec::<Taken>::new(), Instant::now());
        for step in 0..300 {
            let new = ProcessNumber(step);
            let user = numbers.below(9);
            let owner = owner(&user.to_string());
            match numbers.below(10) {
                choice @ 0..5 => {
                    let apart = choice == 0;
                    let placed = match apart {
                        true => placement.place_apart(&owner, new),
                        false => placement.place(&owner, new),
                    };
                    if let Ok(place) = placed {
                        taken.push((place.number(), user, apart));
                    }
                }
                5..9 if !taken.is_empty() => {
                    let (number, user, _) = taken.swap_remove(numbers.below(taken.len()));
                    let is_empty = placement.leave(number, &self::owner(&user.to_string()), now);
                    if is_empty && numbers.below(2) == 0 {
                        assert!(placement.close_if_empty(number));
                        placement.remove(number, now);
                    }
                }
                9 if !taken.is_empty() => {
                    let (number, ..) = taken[numbers.below(taken.len())];
                    let users: BTreeSet<_> = taken
                        .extract_if(.., |(at, ..)| *at == number)
                        .map(|(_, user, _)| user.to_string())
                        .collect();
                    let named = placement.remove(number, now);
                    assert!(
                        users.iter().all(|user| named.iter().any(|owner| *owner.user == **user))
                    );
                }
                _ => {}
            }
            check(&taken, bounds, &placement);
        }
    }
}
