//! A network between a sender and a peer connection, on 127.0.0.1: it loses packets, holds some up,
//! and may send a sender's from two addresses. Both ends take it for the other.

use std::{
    collections::{BTreeMap, HashMap},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// What becomes of packets, in both directions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Line {
    /// So many of 100 are lost; 100 is a cable that was pulled.
    pub(crate) lost: u64,
    /// At so many of 1000 a burst begins: eight in a row are lost.
    pub(crate) bursts: u64,
    /// How long each takes.
    pub(crate) delay: Duration,
    /// So many of 100 are overtaken by others, for they come 30 ms late.
    pub(crate) overtaken: u64,
    /// At so many of 100 the line stands still for 80 ms, and nothing overtakes anything.
    pub(crate) stalls: u64,
    /// Where the sender's seem to come from.
    pub(crate) from: From,
    /// Whether nothing but STUN reaches the sender.
    pub(crate) one_way: bool,
}

/// Addresses of the sender, as the connection sees them. The first is the one of the offer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum From {
    #[default]
    First,
    Second,
    /// One packet from this, the next from that.
    Both,
}

/// Packets of a burst.
const BURST: u32 = 8;
const LATE: Duration = Duration::from_millis(30);
const STALL: Duration = Duration::from_millis(80);
/// Larger than any packet.
const PACKET: usize = 2048;

/// It is there until it is dropped.
pub(crate) struct Network {
    shared: Arc<Shared>,
    ways: [JoinHandle<()>; 3],
}

struct Shared {
    line: Mutex<Line>,
    /// What the sender takes for the connection.
    near: UdpSocket,
    /// What the connection takes for the sender; the offer names the first.
    far: [UdpSocket; 2],
    sender: OnceLock<SocketAddr>,
    connection: OnceLock<SocketAddr>,
    /// At which of the sender's addresses the connection's STUN requests came (RFC 8489): they are
    /// answered from there.
    asked: Mutex<HashMap<Transaction, usize>>,
}

type Transaction = [u8; 12];

impl Network {
    /// One that does no harm yet.
    pub(crate) async fn start() -> Self {
        let socket = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let shared = Arc::new(Shared {
            line: Mutex::default(),
            near: socket().await.unwrap(),
            far: [socket().await.unwrap(), socket().await.unwrap()],
            sender: OnceLock::new(),
            connection: OnceLock::new(),
            asked: Mutex::default(),
        });
        let ways = [Way::There, Way::Back(0), Way::Back(1)]
            .map(|way| tokio::spawn(way.carry(Arc::clone(&shared))));
        Self { shared, ways }
    }

    /// From now on it is like this.
    pub(crate) fn set(&self, line: Line) {
        *self.shared.line.lock().unwrap() = line;
    }

    /// The offer as the connection gets it.
    pub(crate) fn carry_offer(&self, offer: &str) -> String {
        readdress(offer, &self.shared.sender, self.shared.far[0].local_addr().unwrap())
    }

    /// The answer as the sender gets it.
    pub(crate) fn carry_answer(&self, answer: &str) -> String {
        readdress(answer, &self.shared.connection, self.shared.near.local_addr().unwrap())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.ways.iter().for_each(JoinHandle::abort);
    }
}

/// Puts `shown` in the place of the first address for RTP, and leaves the others out.
fn readdress(sdp: &str, hidden: &OnceLock<SocketAddr>, shown: SocketAddr) -> String {
    let mut lines = String::new();
    let mut has_one = false;
    for line in sdp.lines() {
        let Some(candidate) = line.strip_prefix("a=candidate:") else {
            lines += &format!("{line}\r\n");
            continue;
        };
        let mut words: Vec<String> = candidate.split(' ').map(str::to_owned).collect();
        if has_one || words[1] != "1" || !words[2].eq_ignore_ascii_case("udp") {
            continue;
        }
        has_one = true;
        hidden.set(format!("{}:{}", words[4], words[5]).parse().unwrap()).unwrap();
        words[4] = shown.ip().to_string();
        words[5] = shown.port().to_string();
        lines += &format!("a=candidate:{}\r\n", words.join(" "));
    }
    lines
}

#[derive(Clone, Copy)]
enum Way {
    /// From the sender to the connection.
    There,
    /// From the connection to that address of the sender.
    Back(usize),
}

impl Way {
    async fn carry(self, shared: Arc<Shared>) {
        // The same packets are lost each time, counted from the first.
        let mut dice = Dice(match self {
            Self::There => 0x9E37_79B9_7F4A_7C15,
            Self::Back(_) => 0xD1B5_4A32_D192_ED03,
        });
        let mut packet = vec![0; PACKET];
        let mut count = 0;
        let mut waiting = BTreeMap::new();
        let mut still_until = Instant::now();
        let mut burst = 0;
        loop {
            let next = waiting.first_key_value().map(|((due, _), _)| *due);
            let is_due = async {
                match next {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.inlet(&shared).recv(&mut packet) => {
                    let Ok(bytes) = received else { continue };
                    let line = *shared.line.lock().unwrap();
                    count += 1;
                    if burst == 0 && dice.falls(line.bursts, 1000) {
                        burst = BURST;
                    }
                    if burst > 0 {
                        burst -= 1;
                        continue;
                    }
                    if dice.falls(line.lost, 100) || self.is_closed(line, &packet[..bytes]) {
                        continue;
                    }
                    let late = if dice.falls(line.overtaken, 100) { LATE } else { Duration::ZERO };
                    let now = Instant::now();
                    if dice.falls(line.stalls, 100) {
                        still_until = now + STALL;
                    }
                    let due = now.max(still_until) + line.delay + late;
                    waiting.insert((due, count), packet[..bytes].to_vec());
                }
                () = is_due => {}
            }
            while let Some(first) = waiting.first_entry()
                && first.key().0 <= Instant::now()
            {
                let ((_, number), packet) = first.remove_entry();
                self.deliver(&shared, number, &packet).await;
            }
        }
    }

    fn is_closed(self, line: Line, packet: &[u8]) -> bool {
        line.one_way && matches!(self, Self::Back(_)) && stun(packet).is_none()
    }

    fn inlet(self, shared: &Shared) -> &UdpSocket {
        match self {
            Self::There => &shared.near,
            Self::Back(address) => &shared.far[address],
        }
    }

    async fn deliver(self, shared: &Shared, number: usize, packet: &[u8]) {
        let (outlet, to) = match self {
            Self::There => {
                let from = shared.line.lock().unwrap().from;
                let asked = stun(packet).and_then(|transaction| {
                    shared.asked.lock().unwrap().get(&transaction).copied()
                });
                let any = match from {
                    From::First => 0,
                    From::Second => 1,
                    From::Both => number % 2,
                };
                (&shared.far[asked.unwrap_or(any)], shared.connection.get())
            }
            Self::Back(address) => {
                if let Some(transaction) = stun(packet) {
                    shared.asked.lock().unwrap().insert(transaction, address);
                }
                (&shared.near, shared.sender.get())
            }
        };
        if let Some(to) = to {
            // It fails when nobody is there any more.
            let _ = outlet.send_to(packet, to).await;
        }
    }
}

/// The transaction of a STUN message.
fn stun(packet: &[u8]) -> Option<Transaction> {
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
    (packet.get(4..8)? == COOKIE).then(|| packet.get(8..20)?.try_into().ok()).flatten()
}

/// Xorshift64 (Marsaglia 2003): good enough to lose packets by.
struct Dice(u64);

impl Dice {
    /// True so many times of so many.
    fn falls(&mut self, times: u64, of: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) % of < times
    }
}
