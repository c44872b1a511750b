//! What a session asks, and what becomes of its questions.

use std::sync::Arc;

use live_vlm_ask::Answer;
use tokio::time::Instant;

use super::{Session, event::VideoEvent};
use crate::{
    protocol::ServerMessage,
    session::{
        answers,
        asking::{AskEvent, Asking, Source},
    },
};

impl Session {
    /// Asks about this from now on. A question that is asked goes on to its end.
    pub(super) fn ask_about(&mut self, source: Source) {
        if let Some(asking) = &self.asking {
            return asking.replace(source);
        }
        self.last_number += 1;
        let number = self.last_number;
        let told = self.events.clone();
        self.asking_number = Some(number);
        self.asking = Some(Asking::start(
            source,
            self.dispatcher.clone(),
            Arc::clone(&self.chosen_model),
            self.settings.for_asking(false),
            move |event| told.video(number, VideoEvent::Asked(event)),
        ));
    }

    /// Something has become of a question, or is needed for the next.
    pub(super) fn on_asked(&mut self, event: AskEvent) {
        match event {
            AskEvent::Piece(piece) => {
                self.has_asked = true;
                self.tell(&answers::tell_piece(piece));
            }
            AskEvent::Answer(answer) => self.on_answer(*answer),
            AskEvent::Failed(error) => {
                self.has_asked = true;
                let session = self.handle.id().short();
                tracing::debug!(session, kind = error.kind, "a question failed");
                self.tell(&answers::tell_error(error));
            }
            AskEvent::PictureWanted => self.want_picture(),
            AskEvent::Unchanged => {
                if let Some(pictures) = &self.pictures {
                    pictures.passed_over();
                }
            }
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        self.has_asked = true;
        let debug = self.settings.debug.then(|| {
            format!(
                "question {} of {}: first token after {:?} ms, whole after {} ms, frame {} \
                 ms old, {} tokens",
                answer.seq,
                answer.model,
                answer.first_token_ms.unwrap_or_default(),
                answer.latency_ms,
                answer.age_ms,
                answer.tokens_out
            )
        });
        let response = self.answers.whole(answer, self.unchanged(), answers::now());
        self.tell(&ServerMessage::VlmResponse(response));
        if let Some(text) = debug {
            self.tell(&ServerMessage::Debug { text });
        }
    }

    /// Tells the video whether to ask, if that has changed.
    pub(super) fn ask_or_not(&mut self) {
        if self.asking.is_some() && self.told_asks != self.asks() {
            self.send_settings_to_video();
        }
    }

    /// Whether somebody is there, and what they want asked is known: before the first question the
    /// model of a page's choice, which is looked for, must not be another.
    pub(super) fn asks(&self) -> bool {
        let chooses = self.model_check.is_some() && !self.has_asked;
        self.presence.asks(Instant::now()) && !chooses
    }
}
