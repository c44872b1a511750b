use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Codec, ConnectionId, FrameCounts, LinkError, LostReason, MAX_SDP, MAX_TEXT, Message,
    OfferError, message::sealed::Sealed, micros, text::shorten,
};

/// So many pictures one question has at most.
pub const MAX_PICTURES: usize = 64;
/// The longest label of a picture, in bytes.
pub const MAX_LABEL: usize = 256;
/// So many parts of a sandbox are named at most, and none in more than [`MAX_LABEL`] bytes.
pub const MAX_SANDBOX_PARTS: usize = 64;
/// The longest time before its turn at which a connection wants to be told of it: 1 s.
pub const MAX_LEAD: Duration = Duration::from_secs(1);
/// The longest time between two frames that are wanted: a minute.
pub const MAX_SPACING: Duration = Duration::from_secs(60);

/// What a media process tells live-vlm, which does not trust it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FromMedia {
    /// First of all, once offers can be answered.
    Ready {
        /// [`VERSION`](crate::VERSION).
        version: u32,
        /// What can be decoded here.
        codecs: Vec<Codec>,
        /// What the process can no longer do.
        sandbox: SandboxParts,
    },
    /// A sign of life, as [`ToMedia::Ping`](crate::ToMedia::Ping) wants it.
    Pong {
        /// The number of the ping.
        number: u64,
    },
    /// An offer was answered, or cannot be. Then the connection does not exist any more, and
    /// nothing else is said of it.
    Answered {
        /// Whose.
        connection: ConnectionId,
        /// The answer, or why there is none.
        result: Result<Answered, OfferError>,
    },
    /// ICE and DTLS are through, and the peer's certificate is the one that it offered.
    Connected {
        /// Whose.
        connection: ConnectionId,
    },
    /// The first frame was decoded.
    FirstFrame {
        /// Whose.
        connection: ConnectionId,
    },
    /// The connection is over, but for its [`Stopped`](Self::Stopped), which
    /// [`ToMedia::Stop`](crate::ToMedia::Stop) brings.
    Lost {
        /// Whose.
        connection: ConnectionId,
        /// Why.
        reason: LostReason,
    },
    /// It is time to ask, and there is something to ask about, or would be on demand.
    Want {
        /// Whose.
        connection: ConnectionId,
        /// Whether somebody waits for the answer.
        urgent: bool,
        /// How long before the turn a [`TurnNear`](crate::ToMedia::TurnNear) is of use, which is as
        /// long as a frame takes to come; at most [`MAX_LEAD`].
        #[serde(rename = "lead_us", with = "micros")]
        lead: Duration,
    },
    /// A frame is wanted of a peer that sends them
    /// [on demand](crate::SamplingSettings::frames_on_demand).
    FrameWanted {
        /// Whose.
        connection: ConnectionId,
        /// How many, 1 to [`MAX_PICTURES`].
        frames: u32,
        /// The time between two of them, at most [`MAX_SPACING`].
        #[serde(rename = "spacing_us", with = "micros")]
        spacing: Duration,
    },
    /// The want is void: the stream is over, or a setting has changed.
    GiveUp {
        /// Whose.
        connection: ConnectionId,
    },
    /// What to ask about, on a [`Turn`](crate::ToMedia::Turn). The attachment is the pictures, as
    /// JPEG, one behind the other, oldest first.
    Question {
        /// Whose.
        connection: ConnectionId,
        /// 1 to [`MAX_PICTURES`], in the order of the attachment.
        pictures: Vec<PictureInfo>,
    },
    /// There is nothing to ask about on this turn.
    NoQuestion {
        /// Whose.
        connection: ConnectionId,
        /// Why.
        why: NothingToAsk,
    },
    /// Frames so far, once a second at most.
    Frames {
        /// Whose.
        connection: ConnectionId,
        /// They never fall.
        counts: FrameCounts,
    },
    /// All of the connection is freed. Nothing is said of it any more.
    Stopped {
        /// Whose.
        connection: ConnectionId,
    },
    /// A line for the log.
    Log {
        /// How grave it is.
        level: LogLevel,
        /// Who says it, such as `live_vlm_pipelines::chain`; shortened to [`MAX_LABEL`].
        target: String,
        /// About whom, if that is known.
        connection: Option<ConnectionId>,
        /// Shortened to [`MAX_TEXT`].
        message: String,
    },
}

/// What a sandbox is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxParts {
    /// The parts that were applied, such as `seccomp`.
    pub applied: Vec<String>,
    /// The parts that the kernel lacks, or that cannot be applied here.
    pub lacking: Vec<String>,
}

/// An offer that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The answer, at most [`MAX_SDP`].
    pub sdp: String,
    /// The codec that the peer sends.
    pub codec: Codec,
    /// Whether the answer has every candidate of ours: without, a STUN server has not answered in
    /// time.
    pub found_all: bool,
    /// Whether the peer gets its video back, and so sends all of it.
    pub goes_back: bool,
}

/// One picture of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureInfo {
    /// Its length, of which the attachment is made up.
    pub bytes: u32,
    /// Words that the model reads before it, as several pictures need them to be told apart; else
    /// empty. Shortened to [`MAX_LABEL`].
    pub label: String,
    /// How long ago its frame was captured, when the message was written.
    #[serde(rename = "captured_ago_us", with = "micros")]
    pub captured_ago: Duration,
}

/// Why there is nothing to ask about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NothingToAsk {
    /// There is no frame, or none is fresh enough.
    NoFrame,
    /// The source sends no frames, though it was asked to. No want comes before it does.
    Silent,
    /// Too little has changed in the picture.
    Unchanged,
    /// The frame cannot be made a picture, in words for the log and the session; shortened to
    /// [`MAX_TEXT`].
    Unencodable(String),
}

/// How grave a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something is broken.
    Error,
    /// Something may be wrong.
    Warn,
    /// Worth knowing.
    Info,
    /// For developers.
    Debug,
    /// For developers, in detail.
    Trace,
}

/// The pictures of a question, each with what is said of it.
pub fn pictures<'a>(
    infos: &'a [PictureInfo],
    attachment: &'a [u8],
) -> impl Iterator<Item = (&'a PictureInfo, &'a [u8])> {
    infos.iter().scan(attachment, |rest, info| {
        let (picture, more) = rest.split_at_checked(length(info))?;
        *rest = more;
        Some((info, picture))
    })
}

fn length(info: &PictureInfo) -> usize {
    usize::try_from(info.bytes).unwrap_or(usize::MAX)
}

impl FromMedia {
    /// The connection that it is about.
    pub fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Ready { .. } | Self::Pong { .. } => None,
            Self::Log { connection, .. } => *connection,
            Self::Answered { connection, .. }
            | Self::Connected { connection }
            | Self::FirstFrame { connection }
            | Self::Lost { connection, .. }
            | Self::Want { connection, .. }
            | Self::FrameWanted { connection, .. }
            | Self::GiveUp { connection }
            | Self::Question { connection, .. }
            | Self::NoQuestion { connection, .. }
            | Self::Frames { connection, .. }
            | Self::Stopped { connection } => Some(*connection),
        }
    }

    fn announced(&self) -> usize {
        match self {
            Self::Question { pictures, .. } => {
                pictures.iter().fold(0usize, |sum, picture| sum.saturating_add(length(picture)))
            }
            _ => 0,
        }
    }
}

impl Sealed for FromMedia {}

impl Message for FromMedia {
    fn version(&self) -> Option<u32> {
        match self {
            Self::Ready { version, .. } => Some(*version),
            _ => None,
        }
    }

    fn shorten(&mut self) {
        match self {
            Self::Ready { sandbox, .. } => sandbox.shorten(),
            Self::Answered { result: Err(error), .. } => error.shorten(),
            Self::Lost { reason, .. } => reason.shorten(),
            Self::Question { pictures, .. } => {
                pictures.iter_mut().for_each(|picture| shorten(&mut picture.label, MAX_LABEL));
            }
            Self::NoQuestion { why: NothingToAsk::Unencodable(text), .. } => {
                shorten(text, MAX_TEXT);
            }
            Self::Log { target, message, .. } => {
                shorten(target, MAX_LABEL);
                shorten(message, MAX_TEXT);
            }
            _ => {}
        }
    }

    fn check(&self, attachment: usize) -> Result<(), LinkError> {
        let announced = self.announced();
        if announced != attachment {
            return Err(LinkError::Attachment { announced, came: attachment });
        }
        match self {
            Self::Ready { codecs, sandbox, .. } => {
                LinkError::bound("codecs", codecs.len(), Codec::ALL.len())?;
                sandbox.check()
            }
            Self::Answered { result: Ok(answered), .. } => {
                LinkError::bound("sdp", answered.sdp.len(), MAX_SDP)
            }
            Self::Answered { result: Err(error), .. } => error.check(),
            Self::Lost { reason, .. } => LinkError::bound("reason", reason.text().len(), MAX_TEXT),
            Self::Want { lead, .. } if *lead > MAX_LEAD => {
                Err(LinkError::Field { field: "lead_us", allowed: "0 to 1000000" })
            }
            Self::FrameWanted { frames, spacing, .. } => check_wanted(*frames, *spacing),
            Self::Question { pictures, .. } => check_pictures(pictures),
            Self::NoQuestion { why: NothingToAsk::Unencodable(text), .. } => {
                LinkError::bound("why", text.len(), MAX_TEXT)
            }
            Self::Log { target, message, .. } => {
                LinkError::bound("target", target.len(), MAX_LABEL)?;
                LinkError::bound("message", message.len(), MAX_TEXT)
            }
            _ => Ok(()),
        }
    }
}

fn check_wanted(frames: u32, spacing: Duration) -> Result<(), LinkError> {
    if !usize::try_from(frames).is_ok_and(|frames| (1..=MAX_PICTURES).contains(&frames)) {
        return Err(LinkError::Field { field: "frames", allowed: "1 to 64" });
    }
    if spacing > MAX_SPACING {
        return Err(LinkError::Field { field: "spacing_us", allowed: "0 to 60000000" });
    }
    Ok(())
}

fn check_pictures(pictures: &[PictureInfo]) -> Result<(), LinkError> {
    LinkError::bound("pictures", pictures.len(), MAX_PICTURES)?;
    if pictures.is_empty() || pictures.iter().any(|picture| picture.bytes == 0) {
        return Err(LinkError::Field { field: "pictures", allowed: "one or more, none empty" });
    }
    pictures.iter().try_for_each(|p| LinkError::bound("label", p.label.len(), MAX_LABEL))
}

impl SandboxParts {
    fn shorten(&mut self) {
        for parts in [&mut self.applied, &mut self.lacking] {
            parts.truncate(MAX_SANDBOX_PARTS);
            parts.iter_mut().for_each(|part| shorten(part, MAX_LABEL));
        }
    }

    fn check(&self) -> Result<(), LinkError> {
        for parts in [&self.applied, &self.lacking] {
            LinkError::bound("sandbox", parts.len(), MAX_SANDBOX_PARTS)?;
            parts.iter().try_for_each(|part| LinkError::bound("sandbox", part.len(), MAX_LABEL))?;
        }
        Ok(())
    }
}
