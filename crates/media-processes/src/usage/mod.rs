//! How much CPU time and memory media processes use.

mod sample;

use std::{collections::HashMap, time::Duration};

pub(crate) use self::sample::Sample;

/// What media processes use, and what forks them. Tasks of this process are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, in user and system mode, also of those that have ended. It never goes down.
    pub cpu: Duration,
    /// Bytes of physical memory. What a media process has from the one that has forked it counts
    /// once.
    pub resident: u64,
    /// Threads.
    pub threads: u64,
}

/// Adds up what is read of processes now and then. Pure.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// What they had used when they were looked at last.
    seen: HashMap<u32, Sample>,
    /// CPU time of those that have ended, unless another one has it.
    ended: Duration,
    /// What was told last.
    told: Usage,
    /// The number of the newest reading.
    newest: u64,
}

impl Meter {
    /// What was read of all processes that run, by their numbers. `reading` counts up with each
    /// that begins: one that was overtaken says nothing new.
    pub(crate) fn take(&mut self, reading: u64, now: HashMap<u32, Sample>) -> Usage {
        if reading < self.newest {
            return self.told;
        }
        self.newest = reading;
        for (id, gone) in &self.seen {
            // Whoever has waited for it has its time.
            if !now.contains_key(id) && !now.contains_key(&gone.parent) {
                self.ended += gone.cpu + gone.waited_for;
            }
        }
        let running: Duration = now.values().map(|sample| sample.cpu + sample.waited_for).sum();
        self.told = Usage {
            // One that ends between two readings is in neither of them.
            cpu: self.told.cpu.max(self.ended + running),
            resident: now.values().map(|sample| resident(sample, &now)).sum(),
            threads: now.values().map(|sample| sample.threads).sum(),
        };
        self.seen = now;
        self.told
    }
}

/// What it adds to all of them together.
fn resident(of: &Sample, all: &HashMap<u32, Sample>) -> u64 {
    match all.get(&of.parent) {
        // It began with the memory of its parent, and with the same files in it.
        Some(parent) => of.own_memory().saturating_sub(parent.own_memory()),
        None => of.resident,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u32 = 1;
    const ZYGOTE: u32 = 10;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn process(parent: u32, cpu: u64, waited_for: u64) -> Sample {
        let (cpu, waited_for) = (ms(cpu), ms(waited_for));
        Sample { parent, cpu, waited_for, resident: 0, shared: 0, threads: 2 }
    }

    fn cpu(meter: &mut Meter, now: &[(u32, Sample)]) -> Duration {
        meter.take(0, now.iter().copied().collect()).cpu
    }

    #[test]
    fn what_one_used_that_a_zygote_has_waited_for_counts_once() {
        let mut meter = Meter::default();
        let zygote = |waited_for| (ZYGOTE, process(US, 500, waited_for));
        let child = |id, cpu| (id, process(ZYGOTE, cpu, 0));
        assert_eq!(cpu(&mut meter, &[zygote(0), child(11, 100), child(12, 50)]), ms(650));
        // The first one used 130 ms in all. The second one has gone on.
        assert_eq!(cpu(&mut meter, &[zygote(130), child(12, 60)]), ms(690));
        // One began and ended between two looks.
        assert_eq!(cpu(&mut meter, &[zygote(150), child(12, 60)]), ms(710));
    }

    #[test]
    fn what_a_zygote_and_its_children_used_stays_counted_when_all_are_gone() {
        let mut meter = Meter::default();
        let first = [(ZYGOTE, process(US, 500, 100)), (11, process(ZYGOTE, 50, 0))];
        assert_eq!(cpu(&mut meter, &first), ms(650));
        assert_eq!(cpu(&mut meter, &[]), ms(650));
        assert_eq!(cpu(&mut meter, &[(20, process(US, 400, 0))]), ms(1050));
    }

    #[test]
    fn what_a_program_of_its_own_used_stays_counted_when_it_has_ended() {
        let mut meter = Meter::default();
        assert_eq!(cpu(&mut meter, &[(11, process(US, 100, 0)), (12, process(US, 1, 0))]), ms(101));
        assert_eq!(cpu(&mut meter, &[(12, process(US, 2, 0))]), ms(102));
        assert_eq!(cpu(&mut meter, &[]), ms(102));
    }

    #[test]
    fn the_time_never_goes_down_while_one_ends() {
        let mut meter = Meter::default();
        let zygote = (ZYGOTE, process(US, 500, 0));
        assert_eq!(cpu(&mut meter, &[zygote, (11, process(ZYGOTE, 100, 0))]), ms(600));
        // It has ended, and the zygote was looked at before.
        assert_eq!(cpu(&mut meter, &[zygote]), ms(600));
        assert_eq!(cpu(&mut meter, &[(ZYGOTE, process(US, 500, 110))]), ms(610));
    }

    #[test]
    fn a_reading_that_was_overtaken_changes_nothing() {
        let mut meter = Meter::default();
        let child = (11, process(US, 100, 0));
        let mut cpu =
            |reading, now: &[(u32, Sample)]| meter.take(reading, now.iter().copied().collect()).cpu;
        assert_eq!(cpu(0, &[child]), ms(100));
        // It has ended, and a reading that began before says that it runs.
        assert_eq!([cpu(2, &[]), cpu(1, &[child]), cpu(3, &[])], [ms(100); 3]);
    }

    #[test]
    fn memory_that_a_child_has_from_its_zygote_counts_once() {
        let with = |parent, resident, shared| Sample { resident, shared, ..process(parent, 0, 0) };
        let now = [
            (ZYGOTE, with(US, 60, 40)),
            (11, with(ZYGOTE, 75, 45)),
            // It has ended so far that its memory is gone.
            (12, with(ZYGOTE, 0, 0)),
        ];
        let usage = Meter::default().take(0, now.into());
        assert_eq!((usage.resident, usage.threads), (60 + (75 - 45 - 20), 6));
        let alone = Meter::default().take(0, [(11, with(US, 75, 45))].into());
        assert_eq!(alone.resident, 75);
    }
}
