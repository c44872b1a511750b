use std::time::{Duration, Instant};

use vlm_client::Picture;

use crate::{Answer, Failure, QuestionSettings};

/// Whoever has something to ask about, and hears what comes of it. What is called here must not
/// block.
pub trait Subject: Send {
    /// What one question is about.
    type Clip: Send + Sync;

    /// What the next question is asked with. Called as it begins.
    ///
    /// # Errors
    /// Why nothing can be asked with the settings at hand.
    fn settings(&mut self) -> Result<QuestionSettings, Failure>;

    /// Whether somebody waits for the next question.
    fn is_urgent(&self) -> bool;

    /// Whether anything is asked at all. Otherwise a question that waits for its turn is given up.
    fn asks(&self) -> bool;

    /// How long before its turn it is to hear that this is [near](Self::near), at most 1 s; `None` =
    /// as the dispatcher thinks right.
    fn lead(&self) -> Option<Duration> {
        None
    }

    /// The turn comes soon: a fresh frame is of use.
    fn near(&self);

    /// The turn is there. Gives what to ask about, or `None` if there is nothing (fresh, or new,
    /// enough). The future is dropped when the question has become worthless.
    fn choose(&mut self) -> impl Future<Output = Option<Self::Clip>> + Send;

    /// Takes back what nobody was asked about after all.
    fn put_back(&mut self, clip: Self::Clip);

    /// When the newest frame was captured.
    fn captured(&self, clip: &Self::Clip) -> Instant;

    /// The pictures to send, oldest first. Called for each server that is asked.
    ///
    /// # Errors
    /// Why there are none.
    fn pictures(
        &mut self,
        clip: &mut Self::Clip,
    ) -> impl Future<Output = Result<Vec<Picture>, Failure>> + Send;

    /// Something has become of a question.
    fn tell(&mut self, clip: &Self::Clip, answer: &Answer, told: Told<'_>);

    /// Whether the next question is due already when this one has its answer. It is then asked
    /// without another wish for it.
    fn is_due(&self) -> bool;
}

/// What has become of a question.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// A server is asked: with this number, and no other.
    Asked,
    /// Something was written of its answer.
    SoFar,
    /// Its answer is complete.
    Complete,
    /// It has become worthless. Whoever has seen the answer's beginning is to be told that no end
    /// will come.
    Cancelled,
    /// It has failed. What was told of its answer is void; another server may be asked.
    Missed,
    /// There is no answer, though nothing is wrong with the server. What was told of it is void.
    Worthless(&'a Failure),
}
