//! Makes a case that ends the server smaller.

use std::time::Instant;

use live_vlm_offers::{Case, Step};

/// The fewest of `all` with which `holds` still holds, or few of them when time is up: pieces are
/// left out, half of them at first and single ones at last (A. Zeller, "Simplifying and Isolating
/// Failure-Inducing Input", 2002).
async fn fewest<T: Clone>(
    all: Vec<T>,
    until: Instant,
    mut holds: impl AsyncFnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut left = all;
    let mut piece = left.len().div_ceil(2);
    while piece > 0 && !left.is_empty() {
        let mut at = 0;
        while at < left.len() && Instant::now() < until {
            let end = (at + piece).min(left.len());
            let without = [&left[..at], &left[end..]].concat();
            if holds(&without).await {
                left = without;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    left
}

/// A smaller case of which `kills` says that it ends the server too.
pub(super) async fn case(
    case: &Case,
    until: Instant,
    mut kills: impl AsyncFnMut(&Case) -> bool,
) -> Case {
    let with = |steps: &[Step]| Case { steps: steps.to_vec(), ..case.clone() };
    let mut steps =
        fewest(case.steps.clone(), until, async |steps| kills(&with(steps)).await).await;
    for at in 0..steps.len() {
        let (Step::Offer(sdp) | Step::Hurry { sdp, .. }) = steps[at].clone() else { continue };
        let mut patient = steps.clone();
        patient[at] = Step::Offer(sdp.clone());
        if patient != steps && Instant::now() < until && kills(&with(&patient)).await {
            steps = patient;
        }
        let lines: Vec<&str> = sdp.split_inclusive('\n').collect();
        let changed = |lines: &[&str]| {
            let mut steps = steps.clone();
            if let Step::Offer(sdp) | Step::Hurry { sdp, .. } = &mut steps[at] {
                *sdp = lines.concat();
            }
            steps
        };
        let fewest = fewest(lines, until, async |lines| kills(&with(&changed(lines))).await).await;
        steps = changed(&fewest);
    }
    with(&steps)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use live_vlm_offers::Hurry;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn what_is_needed_is_left() {
        let needed = [3, 50, 51, 99];
        let mut tries = 0;
        let left = fewest((0..100).collect(), soon(), async |some: &[i32]| {
            tries += 1;
            needed.iter().all(|number| some.contains(number))
        })
        .await;
        assert_eq!(left, needed);
        assert!(tries < 150, "{tries}");
    }

    #[tokio::test]
    async fn nothing_is_tried_when_time_is_up() {
        let all: Vec<i32> = (0..10).collect();
        assert_eq!(fewest(all.clone(), Instant::now(), async |_: &[i32]| true).await, all);
    }

    #[tokio::test]
    async fn a_case_keeps_the_steps_and_the_lines_that_kill() {
        let mut whole = Case::generate(1, 1);
        whole.steps = vec![
            Step::Wait(1),
            Step::Hurry {
                sdp: "v=0\r\na=x\r\na=bad\r\na=y\r\n".to_owned(),
                after_ms: 3,
                then: Hurry::Leave,
            },
            Step::Offer("v=0\r\n".to_owned()),
        ];
        let kills = async |case: &Case| case.json().to_string().contains("a=bad");
        let small = super::case(&whole, soon(), kills).await;
        assert_eq!(small.steps, [Step::Offer("a=bad\r\n".to_owned())]);
    }
}
