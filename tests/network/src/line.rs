//! One direction of a line, and what it does to packets. Time and chance come from outside.

use std::time::{Duration, Instant};

/// How long a packet may wait for its turn on a line with a rate; what would wait longer is
/// thrown away.
pub const QUEUE: Duration = Duration::from_millis(400);
/// How much later than it would a packet comes that is out of order.
pub const LATE: Duration = Duration::from_millis(30);

/// What a direction of a line does to packets. The default does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Impairment {
    /// Part of packets that are lost, 0 to 1, each by chance of its own.
    pub loss: f64,
    /// How long each packet is on the way.
    pub delay: Duration,
    /// How much longer or shorter than `delay`, by chance, evenly. Packets keep their order.
    pub jitter: Duration,
    /// Part of packets, 0 to 1, that come [`LATE`], so that others overtake them.
    pub reorder: f64,
    /// Bits a second that go through; the rest waits for at most [`QUEUE`].
    pub rate: Option<u64>,
}

/// What has become of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// That went through.
    pub carried: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Thrown away since the queue was full.
    pub overflowed: u64,
    /// Stopped by a rule.
    pub blocked: u64,
    /// The longest that was offered, in bytes.
    pub longest: usize,
}

/// One direction of a line.
#[derive(Debug)]
pub(crate) struct Line {
    impairment: Impairment,
    chance: fastrand::Rng,
    pub(crate) counts: Counts,
    /// When the last bit that was sent has left.
    free_at: Option<Instant>,
    /// When the packet before arrives.
    last: Option<Instant>,
}

impl Line {
    /// The same seed has the same packets lost.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            impairment: Impairment::default(),
            chance: fastrand::Rng::with_seed(seed),
            counts: Counts::default(),
            free_at: None,
            last: None,
        }
    }

    pub(crate) fn set(&mut self, impairment: Impairment) {
        self.impairment = impairment;
        self.free_at = None;
    }

    /// When a packet of so many bytes that comes now arrives; `None` if it never does.
    pub(crate) fn carry(&mut self, length: usize, now: Instant) -> Option<Instant> {
        let Impairment { loss, delay, jitter, reorder, rate } = self.impairment;
        if self.chance.f64() < loss {
            self.counts.lost += 1;
            return None;
        }
        let mut arrives = now;
        if let Some(rate) = rate {
            let starts = self.free_at.map_or(now, |free| free.max(now));
            if starts - now > QUEUE {
                self.counts.overflowed += 1;
                return None;
            }
            arrives = starts + Duration::from_secs_f64(length as f64 * 8.0 / rate.max(1) as f64);
            self.free_at = Some(arrives);
        }
        self.counts.carried += 1;
        arrives += delay;
        let change = jitter.mul_f64(self.chance.f64());
        if self.chance.bool() {
            arrives += change;
        } else {
            // Not before it was sent.
            arrives = arrives.checked_sub(change).map_or(now, |early| early.max(now));
        }
        arrives = self.last.map_or(arrives, |last| last.max(arrives));
        self.last = Some(arrives);
        if self.chance.f64() < reorder {
            arrives += LATE;
        }
        Some(arrives)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn line(impairment: Impairment) -> Line {
        let mut line = Line::new(7);
        line.set(impairment);
        line
    }

    /// Arrivals of packets of `length` bytes that are sent every `every`, in ms after the first.
    fn send(line: &mut Line, count: u32, length: usize, every: Duration) -> Vec<Option<f64>> {
        let began = Instant::now();
        let ms = |at: Instant| (at - began).as_secs_f64() * 1000.0;
        (0..count).map(|n| line.carry(length, began + every * n).map(ms)).collect()
    }

    #[test]
    fn a_line_without_impairment_carries_everything_at_once() {
        let arrived = send(&mut line(Impairment::default()), 100, 1200, 5 * MS);
        let expected: Vec<_> = (0..100).map(|n| Some(f64::from(n) * 5.0)).collect();
        assert_eq!(arrived, expected);
    }

    #[test]
    fn ten_percent_loss_is_ten_percent_and_comes_by_chance() {
        let mut line = line(Impairment { loss: 0.1, ..Impairment::default() });
        let arrived = send(&mut line, 100_000, 1200, MS);
        let lost = arrived.iter().filter(|at| at.is_none()).count();
        assert!((9_700..10_300).contains(&lost), "{lost} of 100000");
        assert_eq!(line.counts.lost, lost as u64);
        assert_eq!(line.counts.carried, 100_000 - lost as u64);
        // Each for itself: after a lost one, another is as likely as ever.
        let both = arrived.windows(2).filter(|pair| pair[0].is_none() && pair[1].is_none()).count();
        assert!((800..1_200).contains(&both), "{both} pairs");
    }

    #[test]
    fn delay_with_jitter_stays_within_it_and_keeps_the_order() {
        let mut line =
            line(Impairment { delay: 100 * MS, jitter: 30 * MS, ..Impairment::default() });
        let arrived = send(&mut line, 10_000, 1200, 40 * MS);
        let arrived: Vec<f64> = arrived.into_iter().flatten().collect();
        assert!(arrived.is_sorted());
        let delays: Vec<f64> =
            arrived.iter().enumerate().map(|(n, at)| at - n as f64 * 40.0).collect();
        let mean = delays.iter().sum::<f64>() / delays.len() as f64;
        assert!(delays.iter().all(|delay| (70.0..=130.0).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 75.0));
        assert!(delays.iter().any(|delay| *delay > 125.0));
        // A packet that is much longer on the way holds the one after it up, so the mean is above
        // the middle.
        assert!((100.0..108.0).contains(&mean), "{mean}");
    }

    #[test]
    fn packets_that_come_together_keep_their_order_through_jitter() {
        let mut line =
            line(Impairment { delay: 50 * MS, jitter: 50 * MS, ..Impairment::default() });
        let arrived: Vec<f64> = send(&mut line, 1_000, 1200, MS).into_iter().flatten().collect();
        assert_eq!(arrived.len(), 1_000);
        assert!(arrived.is_sorted());
    }

    #[test]
    fn some_packets_come_late_and_are_overtaken() {
        let mut line = line(Impairment { reorder: 0.05, ..Impairment::default() });
        let arrived: Vec<f64> = send(&mut line, 10_000, 1200, MS).into_iter().flatten().collect();
        let late = arrived.iter().enumerate().filter(|(n, at)| **at > *n as f64 + 1.0).count();
        assert!((430..570).contains(&late), "{late} of 10000");
        assert!(arrived.iter().enumerate().all(|(n, at)| {
            let delay = at - n as f64;
            delay.abs() < 1e-6 || (delay - 30.0).abs() < 1e-6
        }));
    }

    #[test]
    fn a_rate_is_kept_and_what_would_wait_too_long_is_thrown_away() {
        let rate = 300_000;
        let mut line = line(Impairment { rate: Some(rate), ..Impairment::default() });
        // 1.2 Mbit/s for 20 s.
        let arrived = send(&mut line, 2_500, 1200, 8 * MS);
        let through: Vec<f64> = arrived.iter().copied().flatten().collect();
        let seconds = through.last().unwrap() / 1000.0;
        let got = through.len() as f64 * 1200.0 * 8.0 / seconds;
        assert!((got - 300_000.0).abs() < 300.0, "{got} bits a second");
        assert_eq!(line.counts.overflowed as usize, arrived.len() - through.len());
        // The last to get in waits for the queue, then takes its own 32 ms.
        for (n, at) in arrived.iter().enumerate() {
            assert!(at.is_none_or(|at| at - n as f64 * 8.0 <= 400.0 + 32.0 + 1e-6));
        }
        assert!(
            arrived
                .iter()
                .enumerate()
                .any(|(n, at)| { at.is_some_and(|at| at - n as f64 * 8.0 > 400.0) })
        );
    }

    #[test]
    fn what_fits_through_a_rate_is_not_thrown_away() {
        let mut line = line(Impairment { rate: Some(300_000), ..Impairment::default() });
        let arrived = send(&mut line, 1_000, 1200, 33 * MS);
        assert_eq!((line.counts.carried, line.counts.overflowed), (1_000, 0));
        let first = arrived[0].unwrap();
        assert!((first - 32.0).abs() < 1e-6, "{first}");
    }

    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let loss = Impairment { loss: 0.3, ..Impairment::default() };
        let lost = |seed| {
            let mut line = Line::new(seed);
            line.set(loss);
            send(&mut line, 100, 100, MS).iter().map(Option::is_none).collect::<Vec<_>>()
        };
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
    }
}
