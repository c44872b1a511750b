use std::time::Duration;

use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use vlm_replies::{AnswerEvent, Ending, Failure, Packed, Reader, Unpacker};

use crate::{
    body,
    endpoint::Endpoint,
    error::{Error, ErrorKind, innermost},
};

/// How long a server that has said why it stopped may take to say the rest: its count of tokens.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// The same where the reason came with the first words of the answer: that may be all of it, or the
/// server may say so in every event.
const MORE_WORDS: Duration = Duration::from_secs(15);

/// An answer that is being written. Dropping it cancels the question on the wire.
pub struct AnswerStream {
    endpoint: Endpoint,
    deadline: Instant,
    timeout: Duration,
    /// `None` when nothing more is wanted of it.
    response: Option<Response>,
    unpacker: Unpacker,
    reader: Reader,
    /// What is told once all that came before it has been.
    failure: Option<Error>,
}

/// Why bytes were not taken.
enum Refused {
    Packed(Packed),
    Read(Failure),
}

impl From<Packed> for Refused {
    fn from(packed: Packed) -> Self {
        Self::Packed(packed)
    }
}

impl AnswerStream {
    pub(crate) fn new(
        response: Response,
        endpoint: Endpoint,
        model: &str,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        let unpacker = body::unpacker(&response);
        let reader = Reader::new(endpoint.secrets(), model.to_owned());
        Self {
            endpoint,
            deadline,
            timeout,
            response: Some(response),
            unpacker,
            reader,
            failure: None,
        }
    }

    /// The next step; `None` after [`AnswerEvent::Done`] or an error.
    pub async fn next(&mut self) -> Option<Result<AnswerEvent, Error>> {
        loop {
            if let Some(event) = self.reader.step() {
                return Some(Ok(event));
            }
            if self.reader.has_ended() {
                self.response = None;
            }
            let Some(response) = self.response.as_mut() else {
                return self.failure.take().map(Err);
            };
            let patience = match self.reader.ending() {
                Ending::Sure => Some(LAST_WORDS),
                Ending::Early => Some(MORE_WORDS),
                Ending::Open | Ending::Doubtful => None,
            };
            let by = patience.map(|patience| Instant::now() + patience);
            let deadline = by.map_or(self.deadline, |by| self.deadline.min(by));
            let taken = match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.take(&bytes),
                Ok(Ok(None)) => self.end(),
                Ok(Err(error)) => {
                    let reason = self.endpoint.secrets().blotted_out(&innermost(&error));
                    self.end_early(Failure::Cut { reason })
                }
                Err(_) => self.end_early(ErrorKind::Timeout { after: self.timeout }),
            };
            if let Err(error) = taken {
                self.response = None;
                self.failure = Some(error);
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Self { unpacker, reader, .. } = self;
        let taken = unpacker.feed(bytes, &mut |bytes| reader.feed(bytes).map_err(Refused::Read));
        taken.map_err(|refused| self.refused(refused))
    }

    fn end(&mut self) -> Result<(), Error> {
        let Self { unpacker, reader, .. } = self;
        let taken = unpacker.end(&mut |bytes| reader.feed(bytes).map_err(Refused::Read));
        taken.map_err(|refused| self.refused(refused))?;
        self.reader.end().map_err(|failure| self.endpoint.error(failure))
    }

    /// The body does not go on, because of this.
    fn end_early(&mut self, because: impl Into<ErrorKind>) -> Result<(), Error> {
        self.reader.end_early().map_err(|explanation| {
            let kind = explanation.map_or_else(|| because.into(), ErrorKind::Reply);
            self.endpoint.error(kind)
        })
    }

    fn refused(&self, refused: Refused) -> Error {
        self.endpoint.error(match refused {
            Refused::Read(failure) => failure,
            Refused::Packed(packed) => Failure::Protocol { reason: packed.to_string() },
        })
    }
}
