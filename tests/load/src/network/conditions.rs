//! The conditions that a page is measured in, and what must be reached in each.

use std::{net::Ipv4Addr, ops::RangeInclusive, time::Duration};

use live_vlm_network::{Access, Host, Impairment, Nat, Rule, Side};

use super::{
    addresses::{OUTER, PAGE_PORT, STUN_PORT, VIDEO_PORTS},
    coturn,
};

/// A condition, under the name by which it is chosen.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) name: &'static str,
    /// What is bad, in words.
    pub(crate) about: &'static str,
    /// Of the client's line, from Play on.
    pub(crate) up: Impairment,
    pub(crate) down: Impairment,
    pub(crate) rules: Vec<Rule>,
    pub(crate) mtu: u16,
    pub(crate) access: Access,
    /// There is a relay, which lets pages reach this address and no other.
    pub(crate) relay: Option<Ipv4Addr>,
    /// Further arguments of the server.
    pub(crate) arguments: Vec<String>,
    /// Seconds between two questions.
    pub(crate) interval: f64,
    /// What happens once answers come.
    pub(crate) event: Option<Event>,
    /// How long the page is watched after that, at most.
    pub(crate) watch: Duration,
    pub(crate) wanted: Wanted,
    /// Measured with every browser and codec, not with Chromium and VP8 alone.
    pub(crate) main: bool,
}

/// What happens to a page that gets answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// These rules are in force for so long, or for ever.
    Rules(Vec<Rule>, Option<Duration>),
    /// The client gets another address, and has none for so long.
    NewAddress(Duration),
}

/// What must be reached. What is `None` may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Wanted {
    /// Answers a second, at least.
    pub(crate) rate: Option<f64>,
    /// Key-frame requests a second, at most.
    pub(crate) requests: Option<f64>,
    /// Seconds from Play to the first answer, at most.
    pub(crate) first: Option<f64>,
    /// Seconds from the end of what happened to the next answer, at most.
    pub(crate) back: Option<f64>,
    /// Seconds from Play, or from what happened, until the page says that something is wrong.
    pub(crate) told: Option<f64>,
}

impl Wanted {
    /// Less, for a few seconds on a machine that may be slow: a third of a rate, as one lost key frame
    /// alone costs several of so few answers, and twice the time.
    pub(crate) fn eased(self) -> Self {
        let double = |most: Option<f64>| most.map(|most| most * 2.0);
        Self {
            rate: self.rate.map(|least| least / 3.0),
            requests: double(self.requests),
            first: double(self.first),
            back: double(self.back),
            told: double(self.told),
        }
    }
}

/// What `--short` measures. With more loss, a few seconds have too few answers to tell.
pub(crate) const SHORT: [&str; 3] = ["loss-3", "outage-10", "new-address"];

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn condition(name: &'static str, about: &'static str) -> Condition {
    Condition {
        name,
        about,
        up: Impairment::default(),
        down: Impairment::default(),
        rules: Vec::new(),
        mtu: 1500,
        access: Access::default(),
        relay: None,
        arguments: Vec::new(),
        interval: 1.0,
        event: None,
        watch: secs(40),
        wanted: Wanted::default(),
        main: false,
    }
}

impl Condition {
    fn both(self, impairment: Impairment) -> Self {
        Self { up: impairment, down: impairment, ..self }
    }

    fn loss(self, percent: f64) -> Self {
        let loss = percent / 100.0;
        let lossy = |side| Impairment { loss, ..side };
        Self { up: lossy(self.up), down: lossy(self.down), ..self }
    }

    fn delay(self, delay: u64) -> Self {
        self.both(Impairment { delay: ms(delay), jitter: ms(30), ..Impairment::default() })
    }

    fn uplink(self, rate: u64) -> Self {
        Self { up: Impairment { rate: Some(rate), ..Impairment::default() }, ..self }
    }

    fn rules(self, rules: &[Rule]) -> Self {
        Self { rules: rules.to_vec(), ..self }
    }

    fn event(self, event: Event, watch: u64) -> Self {
        Self { event: Some(event), watch: secs(watch), ..self }
    }

    fn blocked(self, rule: Rule, seconds: u64, watch: u64) -> Self {
        self.event(Event::Rules(vec![rule], Some(secs(seconds))), watch)
    }

    fn arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// The server is behind address translation that forwards the page's port and these, the client
    /// behind a firewall, as it mostly is.
    fn behind_nat(self, udp: Option<RangeInclusive<u16>>) -> Self {
        let nat = Nat { outer: OUTER, tcp: vec![PAGE_PORT], udp };
        Self { access: Access { firewall: true, nat: Some(nat) }, ..self }
    }

    fn forwarded(self) -> Self {
        let (min, max) = VIDEO_PORTS.into_inner();
        self.behind_nat(Some(VIDEO_PORTS))
            .arguments([format!("--min-rtp-port={min}"), format!("--max-rtp-port={max}")])
    }

    fn relay(self, server: Ipv4Addr) -> Self {
        Self { relay: Some(server), ..self }.arguments(coturn::arguments())
    }

    fn stun(self, scheme: &str) -> Self {
        let address = Host::Third.address();
        self.arguments([format!("--stun-server={scheme}{address}:{STUN_PORT}")])
    }

    fn every_frame(self) -> Self {
        Self { interval: 0.5, ..self }.arguments(["--process-every=15".to_owned()])
    }

    fn rate(mut self, least: f64) -> Self {
        self.wanted.rate = Some(least);
        self
    }

    fn requests(mut self, most: f64) -> Self {
        self.wanted.requests = Some(most);
        self
    }

    fn first(mut self, most: f64) -> Self {
        self.wanted.first = Some(most);
        self
    }

    fn back(mut self, most: f64) -> Self {
        self.wanted.back = Some(most);
        self
    }

    fn told(mut self, most: f64) -> Self {
        self.wanted.told = Some(most);
        self
    }

    fn main(self) -> Self {
        Self { main: true, ..self }
    }

    /// How long it is measured and watched at most, where nothing happens for so long.
    pub(crate) fn longest(&self, window: Duration) -> Duration {
        match self.event {
            None => window,
            Some(Event::Rules(_, until)) => self.watch + until.unwrap_or_default(),
            Some(Event::NewAddress(without)) => self.watch + without,
        }
    }

    /// The direction's impairment.
    pub(crate) fn of(&self, side: Side) -> Impairment {
        match side {
            Side::Up => self.up,
            Side::Down => self.down,
        }
    }
}

/// All there are, in the order of the table.
pub(crate) fn all() -> Vec<Condition> {
    let reorder = Impairment { reorder: 0.05, ..Impairment::default() };
    vec![
        condition("clean", "nothing is bad").rate(0.98).requests(1.2).first(2.0).main(),
        condition("loss-1", "1% of packets are lost").loss(1.0).rate(0.98).requests(1.9),
        condition("loss-3", "3% of packets are lost").loss(3.0).rate(0.98).requests(1.9).main(),
        condition("loss-10", "10% of packets are lost").loss(10.0).rate(0.9).main(),
        condition("delay-100", "100±30 ms each way").delay(100).rate(0.98).first(3.0),
        condition("delay-300", "300±30 ms each way").delay(300).rate(0.9).first(6.0),
        condition("delay-100-loss-3", "100±30 ms each way and 3% loss")
            .delay(100)
            .loss(3.0)
            .rate(0.95)
            .main(),
        condition("delay-300-loss-1", "300±30 ms each way and 1% loss")
            .delay(300)
            .loss(1.0)
            .rate(0.9),
        condition("reorder-5", "5% of packets come 30 ms late")
            .both(reorder)
            .rate(0.98)
            .requests(1.9),
        condition("every-frame", "a question each 0.5 s, every frame decoded")
            .every_frame()
            .rate(1.9),
        condition("every-frame-loss-3", "the same and 3% loss").every_frame().loss(3.0).rate(1.9),
        condition("uplink-300", "300 kbit/s up").uplink(300_000).rate(0.95).first(2.0),
        condition("uplink-100", "100 kbit/s up").uplink(100_000).first(5.0),
        condition("outage-3", "nothing gets through for 3 s").blocked(Rule::All, 3, 30).back(2.0),
        condition("outage-10", "nothing gets through for 10 s")
            .blocked(Rule::All, 10, 40)
            .back(2.0)
            .main(),
        condition("outage-30", "nothing gets through for 30 s")
            .blocked(Rule::All, 30, 60)
            .back(3.0),
        condition("no-udp", "UDP is blocked").rules(&[Rule::Udp]).told(6.0),
        condition("no-udp-later", "UDP is blocked once answers come")
            .event(Event::Rules(vec![Rule::Udp], None), 40)
            .told(12.0),
        condition("udp-outage-10", "UDP is blocked for 10 s").blocked(Rule::Udp, 10, 40).back(2.0),
        condition("tcp-outage-10", "TCP is blocked for 10 s").blocked(Rule::Tcp, 10, 40).back(2.0),
        condition("tcp-outage-60", "TCP is blocked for 60 s")
            .blocked(Rule::Tcp, 60, 40)
            .back(3.0)
            .told(12.0),
        condition("new-address", "the client gets another address")
            .event(Event::NewAddress(secs(0)), 130)
            .back(5.0)
            .main(),
        condition("new-address-later", "the client gets another address, after 2 s without any")
            .event(Event::NewAddress(secs(2)), 130)
            .back(5.0),
        Condition { mtu: 1280, ..condition("mtu-1280", "interfaces take 1280 bytes") }.rate(0.98),
        Condition { mtu: 1200, ..condition("mtu-1200", "interfaces take 1200 bytes") }.rate(0.98),
        condition("udp-1280", "UDP of more than 1280 bytes is dropped")
            .rules(&[Rule::UdpLongerThan(1280)])
            .rate(0.98),
        condition("udp-1200", "UDP of more than 1200 bytes is dropped")
            .rules(&[Rule::UdpLongerThan(1200)]),
        condition("nat", "the server is behind NAT, its ports are forwarded").forwarded().told(6.0),
        condition("nat-stun", "the same, and it knows a STUN server")
            .forwarded()
            .stun("stun://")
            .rate(0.98),
        condition("nat-stun-short", "the same, written `stun:`")
            .forwarded()
            .stun("stun:")
            .rate(0.98),
        condition("relay-udp", "UDP to the server is blocked, there is a relay")
            .rules(&[Rule::UdpWith(Host::Server.address())])
            .relay(Host::Server.address())
            .rate(0.98),
        condition("relay-tcp", "UDP is blocked, there is a relay")
            .rules(&[Rule::Udp])
            .relay(Host::Server.address())
            .rate(0.98),
        condition("relay-tls", "UDP is blocked and TCP to its port 3478, there is a relay")
            .rules(&[Rule::Udp, Rule::TcpWith(STUN_PORT)])
            .relay(Host::Server.address())
            .rate(0.98),
        condition("relay-nat", "the server is behind NAT, there is a relay, which it asks by STUN")
            .behind_nat(None)
            .relay(OUTER)
            .stun("stun:")
            .rate(0.98),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_condition_has_a_name_of_its_own_and_the_short_form_is_among_them() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|condition| condition.name).collect();
        assert_eq!(names.len(), all.len());
        assert!(SHORT.iter().all(|name| names.contains(name)));
    }

    #[test]
    fn loss_beside_delay_takes_nothing_from_it() {
        let all = all();
        let found = all.iter().find(|condition| condition.name == "delay-100-loss-3").unwrap();
        for side in [Side::Up, Side::Down] {
            let Impairment { loss, delay, jitter, .. } = found.of(side);
            assert_eq!((loss, delay, jitter), (0.03, ms(100), ms(30)));
        }
    }

    #[test]
    fn a_short_measurement_must_reach_less() {
        let wanted = Wanted { rate: Some(0.9), back: Some(2.0), ..Wanted::default() }.eased();
        assert_eq!(wanted, Wanted { rate: Some(0.3), back: Some(4.0), ..Wanted::default() });
    }
}
